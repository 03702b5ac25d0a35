package command

import "testing"

func TestExamplesAreTypedInAShell(t *testing.T) {
	for command, want := range map[string]string{
		"vm list":                                       "vm list",
		"import homelabmanager < resources.json":        "import homelabmanager < resources.json",
		"salt master add pi --reach 'sudo -n'":          `"salt master add pi --reach 'sudo -n'"`,
		`outlet add rack --on-match '"on"' --host $A`:   `"outlet add rack --on-match '\"on\"' --host \$A"`,
		"settings notify set --command 'tell `date`\\'": "\"settings notify set --command 'tell \\`date\\`\\\\'\"",
	} {
		if got := inShell(command); got != want {
			t.Errorf("%s is typed as %s, want %s", command, got, want)
		}
	}
}
