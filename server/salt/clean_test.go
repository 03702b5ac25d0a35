package salt

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestClean(t *testing.T) {
	tests := map[string]string{
		"plain\n\tä→😀":            "plain\n\tä→😀",
		"\x1b[31mred\x1b[0m":      "red",
		"\x1b]0;title\x07text":    "]0;titletext",
		"a\r\u202eb\x00c\xff":     "abc\uFFFD",
		strings.Repeat("ä", 4000): strings.Repeat("ä", 2048) + "…",
	}
	for in, want := range tests {
		if got := clean(in); got != want {
			t.Errorf("%.40q becomes %.40q", in, got)
		}
	}
}

// TestHostileMinion has one that names itself, and answers, for a terminal.
func TestHostileMinion(t *testing.T) {
	f := newFake(t)
	f.play("salt-key", "key-list-pending")
	f.write("salt-key.stdout", `{"minions": [], "minions_pre": ["*", "\u001b[2Jx"], "minions_rejected": [], "minions_denied": []}`)
	keys, err := f.Keys(t.Context())
	if diff := cmp.Diff([]string{`"\x1b[2Jx"`, "*"}, keys.Pending); diff != "" || err != nil {
		t.Errorf("error %v, pending (-want +got):\n%s", err, diff)
	}
	for _, id := range keys.Pending {
		if CheckID(id) == nil {
			t.Errorf("%s is legal", id)
		}
	}
	r := parseResult(job1, noon, []byte(`{"cmd_|-a\u001b[1m_|-\u0007b_|-run": {"result": false, "comment": "no\u001b[2J way", "changes": {"\u001bx": 1}, "__sls__": "s\u0000"}}`), false)
	s := r.Steps[0]
	if s.ID != "a" || s.Name != "b" || s.Comment != "no way" || s.SLS != "s" || s.Function != "cmd.run" || s.Changes[0] != "x" {
		t.Errorf("the state is %+v", s)
	}
	if r := parseResult(job1, noon, []byte(`["\u001b[31mno"]`), false); r.Errors[0] != "no" {
		t.Errorf("the errors are %q", r.Errors)
	}
}
