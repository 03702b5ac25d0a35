package tui

import (
	"strconv"
	"strings"

	"homelab/model"
)

// bar draws done of total in w columns, with the numbers after it.
func bar(done, total, w int) line {
	if total <= 0 {
		return nil
	}
	done = min(max(done, 0), total)
	n := done * w / total
	return line{
		{strings.Repeat("━", n), inkBusy},
		{strings.Repeat("─", w-n), inkRule},
		{" " + strconv.Itoa(done) + "/" + strconv.Itoa(total), inkText},
	}
}

// transferred draws how much of so many bytes has come, in a bar of w columns
// where their number is known.
func transferred(done, total int64, w int) line {
	if total <= 0 {
		return text(inkText, mebibytes(int(done>>20))+" ")
	}
	done = min(max(done, 0), total)
	n := int(done * int64(w) / total)
	return line{
		{strings.Repeat("━", n), inkBusy},
		{strings.Repeat("─", w-n), inkRule},
		{" " + strconv.Itoa(int(done*100/total)) + "% of " + mebibytes(int(total>>20)) + " ", inkText},
	}
}

// runSign is how the state of a run is shown.
func runSign(s model.RunState) (string, ink) {
	switch s {
	case model.RunSucceeded, model.RunNoop:
		return signDone, inkGood
	case model.RunFailed:
		return signFailed, inkBad
	case model.RunWaiting:
		return signWarn, inkWarn
	case model.RunCancelled, model.RunSuperseded:
		return signNone, inkDim
	}
	return signRun, inkBusy
}

// runWord says the state of a run.
func runWord(s model.RunState) string {
	if s == model.RunNoop {
		return "no changes"
	}
	return string(s)
}

// resourceSign is how far one step of a run is.
func resourceSign(s model.ResourceStatus) (string, ink) {
	switch s {
	case model.ResourceDone:
		return signDone, inkGood
	case model.ResourceFailed:
		return signFailed, inkBad
	case model.ResourceRunning:
		return signRun, inkBusy
	}
	return signNone, inkDim
}

// changes says what a run adds, changes and destroys.
func changes(s model.Summary) line {
	l := line{{"+" + strconv.Itoa(s.Add), inkDim}, {" ~" + strconv.Itoa(s.Change), inkDim}, {" −" + strconv.Itoa(s.Destroy), inkDim}}
	if s.Add > 0 {
		l[0].ink = inkGood
	}
	if s.Change > 0 {
		l[1].ink = inkWarn
	}
	if s.Destroy > 0 {
		l[2].ink = inkBad
	}
	return l
}
