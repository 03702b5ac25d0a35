package server

import (
	"context"
	"sync"
	"time"

	"homelab/model"
	"homelab/model/store"
)

// loadPause is how often loads are told to watchers, those of all hypervisors
// at once, and how often the means of a minute are sampled: however many
// agents report, a dashboard is drawn again no more often for their sake.
const loadPause = 10 * time.Second

// loads takes in what agents measure, and keeps the mean of each minute.
type loads struct {
	s   *Server
	now func() time.Time

	mu   sync.Mutex
	news map[string]*model.Load // that watchers have not been told

	minute time.Time // that means are of; Run's, as they are
	means  map[model.Ref]*loadMean
}

// loadMean is what was sampled in a minute.
type loadMean struct {
	cpu, memory float64
	count       int
}

func newLoads(s *Server) *loads {
	return &loads{s: s, now: time.Now, news: map[string]*model.Load{}, means: map[model.Ref]*loadMean{}}
}

// take is told what an agent measured. The first load of a machine is shown at
// once.
func (l *loads) take(hypervisor string, load *model.Load) {
	l.mu.Lock()
	l.news[hypervisor] = load
	l.mu.Unlock()
	if l.s.observed.hypervisor(hypervisor).Load == nil {
		l.tell()
	}
}

// Run tells and records loads until ctx ends.
func (l *loads) Run(ctx context.Context) {
	t := time.NewTicker(loadPause)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			l.tell()
			l.sample()
		}
	}
}

func (l *loads) tell() {
	l.mu.Lock()
	news := l.news
	l.news = map[string]*model.Load{}
	l.mu.Unlock()
	if len(news) > 0 {
		l.s.observed.setLoads(news)
	}
}

// sample adds what is known now to the means of the minute, and records the
// minute before when a new one has begun.
func (l *loads) sample() {
	if minute := l.now().Truncate(time.Minute); !minute.Equal(l.minute) {
		l.record()
		l.minute = minute
	}
	for name, st := range l.s.observed.status().Hypervisors {
		if st.Load == nil {
			continue
		}
		l.add(model.Ref{Kind: model.KindHypervisor, Name: name}, st.Load.CPUPercent, st.Load.MemoryUsedMiB)
		for _, g := range st.Guests {
			if load, ok := st.GuestLoad(g); ok && g.ID != "" {
				l.add(model.Ref{Kind: model.KindVM, Name: g.ID}, load.CPUPercent, load.MemoryUsedMiB)
			}
		}
	}
}

func (l *loads) add(ref model.Ref, cpu, memory int) {
	m := l.means[ref]
	if m == nil {
		m = &loadMean{}
		l.means[ref] = m
	}
	m.cpu, m.memory, m.count = m.cpu+float64(cpu), m.memory+float64(memory), m.count+1
}

func (l *loads) record() {
	if len(l.means) == 0 {
		return
	}
	of := make(map[model.Ref]model.LoadPoint, len(l.means))
	for ref, m := range l.means {
		n := float64(m.count)
		of[ref] = model.LoadPoint{CPUPercent: m.cpu / n, MemoryMiB: m.memory / n}
	}
	l.means = map[model.Ref]*loadMean{}
	if err := l.s.store.RecordLoads(store.LoadMinute{At: l.minute, Of: of}); err != nil {
		l.s.log.Error("what machines and guests used is not kept", "error", err)
	}
	l.s.store.Hub().Publish(model.Ref{Kind: model.KindMeters, Name: string(model.KindMeters)})
}

// LoadHistory returns the load of hypervisors and VMs in a span that ends now.
func (l *lab) LoadHistory(_ context.Context, of []model.Ref, span model.Span) (map[model.Ref][]model.LoadPoint, error) {
	state := l.State()
	byID := map[model.Ref]model.Ref{} // as it is kept → as it is asked for
	ids := make([]model.Ref, 0, len(of))
	for _, ref := range of {
		kept := ref
		if ref.Kind == model.KindVM {
			kept.Name = state.VMs[ref.Name].ID
		}
		byID[kept] = ref
		ids = append(ids, kept)
	}
	history, err := l.s.store.LoadHistory(ids, span, l.s.meters.now())
	out := make(map[model.Ref][]model.LoadPoint, len(history))
	for kept, points := range history {
		out[byID[kept]] = points
	}
	return out, err
}
