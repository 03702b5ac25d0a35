package model

import "regexp"

// privateKey is a private key in PEM, however its line ends are written.
var privateKey = regexp.MustCompile(`(?s)(-----BEGIN [A-Z ]*PRIVATE KEY-----).*?(-----END [A-Z ]*PRIVATE KEY-----)`)

// WithoutKeys is a file of a config to read: the private keys in it are only
// for the agent.
func WithoutKeys(content string) string {
	return privateKey.ReplaceAllString(content, "$1 (withheld) $2")
}
