package salt

import (
	"fmt"
	"regexp"
)

var (
	legalID   = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}$`)
	legalFun  = regexp.MustCompile(`^[A-Za-z0-9_]+\.[A-Za-z0-9_]+$`)
	legalJob  = regexp.MustCompile(`^[0-9]{20}(_[0-9]+)?$`)
	legalPath = regexp.MustCompile(`^(/[A-Za-z0-9_][A-Za-z0-9_.-]*)+$`)
)

// CheckID says why id may not be on a command line: salt-key and salt take
// IDs as patterns, and a minion names itself.
func CheckID(id string) error {
	if !legalID.MatchString(id) {
		return fmt.Errorf("minion ID %.70q is not made of letters, digits, _, - and . alone: deal with it on the master by hand", id)
	}
	return nil
}

// CheckFunction says why fun may not be called. Several functions in one, as
// Salt has them with commas, are refused too.
func CheckFunction(fun string) error {
	if !legalFun.MatchString(fun) {
		return fmt.Errorf("function %.70q is not one name, such as test.ping", fun)
	}
	return nil
}

func checkIDs(ids []string) error {
	if len(ids) == 0 {
		return fmt.Errorf("no minion is named")
	}
	for _, id := range ids {
		if err := CheckID(id); err != nil {
			return err
		}
	}
	return nil
}

func checkJob(job string) error {
	if !legalJob.MatchString(job) {
		return fmt.Errorf("%.70q is not the ID of a job", job)
	}
	return nil
}
