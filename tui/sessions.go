package tui

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	tea "charm.land/bubbletea/v2"

	"homelab/model"
)

// Sections of the access screen: who may connect, who is connected, and who
// did what.
const (
	accessKeys = iota
	accessSessions
	accessAudit
	accessSections
)

// auditPage is how many entries of the audit are shown.
const auditPage = 200

// accessHeads names the sections, the one that is shown underlined.
func accessHeads(a *app, at int) line {
	names := [accessSections]string{"Who may", "Sessions " + strconv.Itoa(len(a.lab.Sessions())), "Audit"}
	heads := line{{" ", inkText}}
	for i, n := range names {
		colour := inkTabs
		if i == at {
			colour = inkTab
		}
		heads = append(heads, span{n, colour}, span{"   ", inkText})
	}
	return append(heads, span{"←/→", inkKey})
}

// sectionActions go to the section after and before.
func (s *access) sectionActions(at int) []action {
	to := func(n int) func(a *app) tea.Cmd {
		return func(a *app) tea.Cmd {
			var next screen = s
			if section := (at + n + accessSections) % accessSections; section != accessKeys {
				next = &accessText{of: s, section: section}
			}
			a.filter = nil
			a.stack[len(a.stack)-1] = next
			return next.refresh(a, nil)
		}
	}
	next := keySection
	next.short = "" // the heads name the keys
	return []action{{binding: next, do: to(1)}, {binding: keySectionBack, do: to(-1)}}
}

// accessText is a section that is read: sessions or the audit.
type accessText struct {
	reel
	of      *access
	section int

	sessions []model.Session
	audit    []model.Audited
	read     bool
	reading  bool
	err      error
}

func (s *accessText) title() string { return "Access" }

func (s *accessText) actions(*app) []action {
	return append(s.of.sectionActions(s.section), action{binding: keyScroll})
}

func (s *accessText) refresh(a *app, dirty map[model.Ref]struct{}) tea.Cmd {
	s.sessions = a.lab.Sessions()
	told := dirty == nil
	for ref := range dirty {
		told = told || ref.Kind == model.KindAudit
	}
	if s.section != accessAudit || !told || s.reading || !a.may(model.RoleAdmin) {
		return nil
	}
	s.reading = true
	return a.async(func(ctx context.Context) done {
		audit, err := a.lab.Audit(ctx, 0, auditPage)
		return func(*app) tea.Cmd {
			s.audit, s.err, s.read, s.reading = audit, err, true, false
			return nil
		}
	})
}

func (s *accessText) draw(a *app, w, h int) []line {
	out := []line{accessHeads(a, s.section), nil}
	var body []line
	switch {
	case s.section == accessSessions:
		body = s.sessionLines(a, w)
	case !a.may(model.RoleAdmin):
		body = []line{text(inkText, " The audit is for admins.")}
	case s.err != nil:
		body = wrapped(inkBad, " "+signFailed+" "+s.err.Error(), w-2, 1)
	case !s.read:
		body = []line{text(inkDim, " Reading …")}
	default:
		body = s.auditLines(a, w)
	}
	return append(out, s.show(body, h-len(out))...)
}

// sessionLines are who is connected; what it comes from where there is room.
func (s *accessText) sessionLines(a *app, w int) []line {
	rows := []line{{{"WHO", inkHead}, {"SINCE", inkHead}, {"DOING", inkHead}, {"FROM", inkHead}}}
	for _, ses := range s.sessions {
		from := strings.TrimSpace(ses.Address + " " + ses.KeyName)
		if w >= wide {
			from += "  " + ses.Client
		}
		rows = append(rows, line{{ses.Who, inkName}, {moment(a.now, ses.Since), inkDim}, {orNone(strings.Join(ses.Doing, ", ")), inkText}, {from, inkDim}})
	}
	return table(rows, w)
}

// auditLines are what was done and what was refused.
func (s *accessText) auditLines(a *app, w int) []line {
	rows := []line{{{"WHEN", inkHead}, {"WHO", inkHead}, {"WHAT", inkHead}}}
	for _, e := range s.audit {
		what, colour := signNone+" "+e.What, inkText
		if e.Kind == model.AuditRefused || e.Kind == model.AuditDenied {
			what, colour = signWarn+" "+string(e.Kind)+": "+e.What, inkWarn
		}
		if e.Count > 1 {
			what += fmt.Sprintf(", %d times", e.Count)
		}
		rows = append(rows, line{{moment(a.now, e.Last), inkDim}, {e.Who, inkText}, {what, colour}, {"  " + e.Address, inkDim}})
	}
	return table(rows, w)
}

// table lays out rows of text in columns as wide as they need to be; what has no
// room goes on in the next line. The last column, and what comes after it, is as
// long as it is.
func table(rows []line, w int) []line {
	columns := len(rows[0])
	ws := make([]int, columns-1)
	for _, r := range rows {
		for i := range ws {
			ws[i] = max(ws[i], width(clean(r[i].text)))
		}
	}
	out := make([]line, 0, len(rows))
	for _, r := range rows {
		l := text(inkText, " ")
		for i := range ws {
			l = append(l, line{r[i]}.fit(min(ws[i], 26)+2)...)
		}
		l = append(l, r[columns-1:]...)
		if len(out) == 0 { // the heading
			if l.size() > w { // the last column goes on in the next line
				l = l[:len(l)-1]
			}
			out = append(out, l)
			continue
		}
		out = append(out, l.wrap(w-1, 3)...)
	}
	return out
}
