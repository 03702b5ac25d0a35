package store

import (
	"cmp"
	"errors"
	"math"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"homelab/model"
)

// bucketLoads holds what machines and guests used, in the same rows as what
// meters measured: a series of numbers for each figure of each of them.
var bucketLoads = []byte("loads")

// What a series is of. Their names go into the database.
const (
	seriesCPU    = "cpu"
	seriesMemory = "memory"
)

// LoadMinute is the mean load in the minute that begins at At. Its refs name
// hypervisors by name and VMs by ID.
type LoadMinute struct {
	At time.Time
	Of map[model.Ref]model.LoadPoint
}

// RecordLoads keeps minutes, oldest first, as RecordWatts does.
func (s *Store) RecordLoads(minutes ...LoadMinute) error {
	minutes = slices.DeleteFunc(slices.Clone(minutes), func(m LoadMinute) bool { return len(m.Of) == 0 })
	if len(minutes) == 0 {
		return nil
	}
	return s.write(func(tx *bbolt.Tx) error {
		root := tx.Bucket(bucketLoads)
		for _, m := range minutes {
			entries, err := loadEntries(root, m.Of)
			if err != nil {
				return err
			}
			if err := recordMinute(root, m.At.UTC().Truncate(time.Minute), entries); err != nil {
				return err
			}
		}
		return nil
	})
}

func loadEntries(root *bbolt.Bucket, of map[model.Ref]model.LoadPoint) ([]rowEntry, error) {
	names, err := root.CreateBucketIfNotExists(metersOutlets)
	if err != nil {
		return nil, err
	}
	var entries []rowEntry
	add := func(ref model.Ref, series string, value float64) error {
		if math.IsNaN(value) || math.IsInf(value, 0) {
			return nil
		}
		var m metered
		if err := readMetered(names, seriesName(ref, series), &m); err != nil {
			return err
		}
		if m.Number == 0 {
			if m.Number, err = root.NextSequence(); err != nil {
				return err
			}
			if err := putJSON(names, []byte(seriesName(ref, series)), m); err != nil {
				return err
			}
		}
		entries = append(entries, rowEntry{m.Number, value, 1})
		return nil
	}
	for ref, p := range of {
		if err := errors.Join(add(ref, seriesCPU, p.CPUPercent), add(ref, seriesMemory, p.MemoryMiB)); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(entries, func(a, b rowEntry) int { return cmp.Compare(a.outlet, b.outlet) })
	return entries, nil
}

func seriesName(ref model.Ref, series string) string { return ref.String() + " " + series }

// LoadHistory returns the load in the span that ends now, as WattHistory does.
func (s *Store) LoadHistory(of []model.Ref, span model.Span, now time.Time) (map[model.Ref][]model.LoadPoint, error) {
	from, until, n := bounds(span, now)
	var names []string
	refs := map[string]model.Ref{}
	for _, ref := range of {
		for _, series := range []string{seriesCPU, seriesMemory} {
			names = append(names, seriesName(ref, series))
			refs[seriesName(ref, series)] = ref
		}
	}
	out := map[model.Ref][]model.LoadPoint{}
	err := s.view(func(tx *bbolt.Tx) error {
		root := tx.Bucket(bucketLoads)
		numbers, err := numbersOf(root, names)
		if err != nil {
			return err
		}
		scanSpan(root, span, from, until, func(i int, e rowEntry) {
			name, ok := numbers[e.outlet]
			if !ok || i < 0 || i >= n {
				return
			}
			ref := refs[name]
			if out[ref] == nil {
				out[ref] = idle(from, span.Step(), n)
			}
			if name == seriesName(ref, seriesCPU) {
				out[ref][i].CPUPercent = e.watts
			} else {
				out[ref][i].MemoryMiB = e.watts
			}
		})
		return nil
	})
	return out, err
}

func idle(from time.Time, step time.Duration, n int) []model.LoadPoint {
	points := make([]model.LoadPoint, n)
	for i := range points {
		points[i] = model.LoadPoint{At: from.Add(time.Duration(i) * step), CPUPercent: math.NaN(), MemoryMiB: math.NaN()}
	}
	return points
}
