package terraform

import (
	"regexp"
	"strconv"
	"strings"
)

// text is a string that reaches a YAML reader as it is, whatever is in it. The
// encoder's own idea of what needs quotes is that of YAML 1.2 and incomplete;
// cloud-init reads YAML 1.1, where "yes", "1:30" and "2e3" are no strings.
type text string

var (
	plainText = regexp.MustCompile(`^[A-Za-z/][A-Za-z0-9 ._/+=@()-]*$`)
	reserved  = map[string]bool{"y": true, "n": true, "yes": true, "no": true, "on": true, "off": true, "true": true, "false": true, "null": true}
)

// MarshalYAML writes the string plain if every reader takes it for one, else
// quoted. Go's escapes are also YAML's.
func (t text) MarshalYAML() (any, error) {
	s := strings.ToValidUTF8(string(t), "\uFFFD")
	if plainText.MatchString(s) && !strings.HasSuffix(s, " ") && !reserved[strings.ToLower(s)] {
		return s, nil
	}
	return quoted(s), nil
}

// quoted is a string in double quotes.
type quoted string

// MarshalYAML writes it.
func (q quoted) MarshalYAML() ([]byte, error) { return []byte(strconv.Quote(string(q))), nil }

func texts(list []string) []text {
	all := make([]text, 0, len(list))
	for _, s := range list {
		all = append(all, text(s))
	}
	return all
}
