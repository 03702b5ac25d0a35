package model

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
)

func (c *checker) outlet(o Outlet) {
	c.rule(isLabel(o.Name), "name", o.Name, ruleLabel)
	c.oneOf("driver", o.Driver, Drivers()...)
	c.distinct("groups", o.Groups)
	for _, g := range o.Groups {
		c.rule(isName(g), "groups", g, ruleName)
	}
	c.distinct("requires", o.Requires)
	for _, r := range o.Requires {
		_, ok := c.s.Outlets[r]
		c.refers(ok, "requires", Ref{KindOutlet, r})
	}
	c.within("delay_seconds", o.DelaySeconds, 0, 3600)
	c.watts("idle_watts", o.IdleWatts)
	c.driver(o)
}

// url checks an address of a device. A password in it would be shown to all
// who look.
func (c *checker) url(field, value string) {
	if value == "" {
		return
	}
	u, err := url.Parse(value)
	ok := err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && u.Opaque == "" && isText(value, 2048)
	if ok && u.User != nil {
		c.rule(false, field, u.Scheme+"://…@"+u.Host, "must not carry a user name or a password: all who may look would see it")
		return
	}
	c.rule(ok && isHost(u.Hostname()), field, value, "must be a URL such as http://192.168.1.30/relay/0?turn=on")
}

func (c *checker) pattern(field, value string) {
	if value == "" || !c.rule(isText(value, 512), field, value, ruleText+", at most 512 bytes") {
		return
	}
	_, err := regexp.Compile(value)
	c.rule(err == nil, field, value, "must be a regular expression, as Go has them")
}

// cycles finds outlets that require themselves, by way of others or not: none
// of them could ever be switched on.
func (c *checker) cycles() {
	const under, done = 1, 2
	state := map[string]int{}
	var visit func(name string, way []string)
	visit = func(name string, way []string) {
		if state[name] == done {
			return
		}
		way = append(way, name)
		if state[name] == under {
			c.ref = Ref{KindOutlet, name}
			circle := way[slices.Index(way, name):]
			c.rule(false, "requires", circle[1], "leads back to itself: "+strings.Join(circle, " requires "))
			return
		}
		state[name] = under
		for _, r := range c.s.Outlets[name].Requires {
			visit(r, way)
		}
		state[name] = done
	}
	for _, name := range Names(c.s.Outlets) {
		visit(name, nil)
	}
}
