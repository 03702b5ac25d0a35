package model

import (
	"errors"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// DeviceURL is the base URL of a device at an address: a host, host:port, or
// an http or https URL without a path. Scheme and port are taken where the
// address says none; an empty port is the scheme's.
func DeviceURL(address, scheme, port string) (*url.URL, error) {
	u := &url.URL{Scheme: scheme}
	if strings.Contains(address, "://") {
		parsed, err := url.Parse(address)
		if err != nil || parsed.Scheme != "http" && parsed.Scheme != "https" {
			return nil, errors.New("must be http:// or https://")
		}
		if parsed.User != nil {
			return nil, errors.New("must not carry a user name or a password: all who may look would see it")
		}
		if parsed.Opaque != "" || parsed.RawQuery != "" || parsed.Fragment != "" || strings.Trim(parsed.Path, "/") != "" {
			return nil, errors.New("must end with the host: the driver knows the path")
		}
		u.Scheme, address = parsed.Scheme, parsed.Host
		if port != "" && parsed.Port() == "" {
			port = "" // who writes a URL means its scheme's port
		}
	}
	host, at, err := SplitAddress(address, port)
	if err != nil {
		return nil, err
	}
	switch {
	case at != "":
		u.Host = net.JoinHostPort(host, at)
	case strings.Contains(host, ":"):
		u.Host = "[" + host + "]"
	default:
		u.Host = host
	}
	return u, nil
}

// SplitAddress takes host or host:port apart; port is what is taken without
// one.
func SplitAddress(address, port string) (host, at string, err error) {
	host, at = strings.Trim(address, "[]"), port
	if h, p, err := net.SplitHostPort(address); err == nil {
		host, at = h, p
	}
	if !isHost(host) || len(address) > 300 {
		return "", "", errors.New("must be a host name or an IP address, with or without a port")
	}
	if at != "" {
		if n, err := strconv.Atoi(at); err != nil || n < 1 || n > 65535 {
			return "", "", errors.New("must have a port from 1 to 65535")
		}
	}
	return host, at, nil
}
