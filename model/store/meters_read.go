package store

import (
	"math"
	"time"

	"go.etcd.io/bbolt"

	"homelab/model"
)

// WattHistory returns what was measured of outlets in the span that ends now,
// by outlet: every point of the span, NaN where nothing was measured. Outlets
// of which nothing was measured in it are left out.
func (s *Store) WattHistory(outlets []string, span model.Span, now time.Time) (map[string][]model.WattPoint, error) {
	from, until, n := bounds(span, now)
	out := map[string][]model.WattPoint{}
	err := s.view(func(tx *bbolt.Tx) error {
		root := tx.Bucket(bucketMeters)
		names, err := numbersOf(root, outlets)
		if err != nil {
			return err
		}
		scanSpan(root, span, from, until, func(i int, e rowEntry) {
			name, ok := names[e.outlet]
			if !ok {
				return
			}
			if out[name] == nil {
				out[name] = unmeasured(from, span.Step(), n)
			}
			if i >= 0 && i < n {
				out[name][i].Watts = e.watts
			}
		})
		return nil
	})
	return out, err
}

// bounds are the beginning and the end of a span that ends now, and how many
// points it has.
func bounds(span model.Span, now time.Time) (from, until time.Time, n int) {
	step := span.Step()
	until = now.UTC().Truncate(step) // the minute that runs has no mean yet
	if step == time.Hour {
		until = until.Add(step) // but the hour that runs has one so far
	}
	return until.Add(-span.Length()), until, int(span.Length() / step)
}

// scanSpan hands over the rows of a span with the number of their point.
func scanSpan(root *bbolt.Bucket, span model.Span, from, until time.Time, take func(i int, e rowEntry)) {
	step := span.Step()
	put := func(at int64, e rowEntry) { take(int((at-from.Unix())/int64(step/time.Second)), e) }
	if step == time.Minute {
		scan(root.Bucket(metersMinutes), from, until, put)
		return
	}
	scan(root.Bucket(metersHours), from, until, put)
	scanHourNow(root.Bucket(metersMinutes), until.Add(-step), put)
}

// scanHourNow is the hour that is not over yet, as far as it is known.
func scanHourNow(minutes *bbolt.Bucket, hour time.Time, put func(int64, rowEntry)) {
	sums := map[uint64]rowEntry{}
	scan(minutes, hour, hour.Add(time.Hour), func(_ int64, e rowEntry) {
		sum := sums[e.outlet]
		sums[e.outlet] = rowEntry{e.outlet, sum.watts + e.watts, sum.minutes + 1}
	})
	for n, sum := range sums {
		put(hour.Unix(), rowEntry{n, sum.watts / float64(sum.minutes), sum.minutes})
	}
}

func unmeasured(from time.Time, step time.Duration, n int) []model.WattPoint {
	points := make([]model.WattPoint, n)
	for i := range points {
		points[i] = model.WattPoint{At: from.Add(time.Duration(i) * step), Watts: math.NaN()}
	}
	return points
}

func numbersOf(root *bbolt.Bucket, outlets []string) (map[uint64]string, error) {
	names := map[uint64]string{}
	b := root.Bucket(metersOutlets)
	if b == nil {
		return names, nil
	}
	for _, name := range outlets {
		var m metered
		if err := readMetered(b, name, &m); err != nil {
			return nil, err
		}
		if m.Number != 0 {
			names[m.Number] = name
		}
	}
	return names, nil
}

// Energy returns what each metered outlet used since a moment of the last day,
// and since recording began.
func (s *Store) Energy(since, now time.Time) (map[string]model.Metered, error) {
	out := map[string]model.Metered{}
	err := s.view(func(tx *bbolt.Tx) error {
		root := tx.Bucket(bucketMeters)
		b := root.Bucket(metersOutlets)
		if b == nil {
			return nil
		}
		names := map[uint64]string{}
		if err := each(b, func(k []byte, m metered) {
			names[m.Number] = string(k)
			out[string(k)] = model.Metered{Since: time.Unix(m.Since, 0).UTC(), TotalWh: m.Wh}
		}); err != nil {
			return err
		}
		scan(root.Bucket(metersMinutes), since, now.Add(time.Minute), func(_ int64, e rowEntry) {
			if name, ok := names[e.outlet]; ok {
				m := out[name]
				m.TodayWh += e.watts / 60
				out[name] = m
			}
		})
		return nil
	})
	return out, err
}
