package store

import (
	"encoding/binary"
	"encoding/json"
	"maps"
	"math"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"homelab/model"
)

// bucketMeters holds what meters measured. Its sub-buckets are rows of all
// outlets together, so that a minute is one small write however many there
// are: minutes and hours (Unix seconds → row), and the outlets' numbers and
// totals (name → number and Wh).
var (
	bucketMeters  = []byte("meters")
	metersMinutes = []byte("minutes")
	metersHours   = []byte("hours")
	metersOutlets = []byte("outlets")
)

// What is kept: a day of minutes, a year of hours.
const (
	keptMinutes = 25 * time.Hour // an hour more than is shown: hours are made of them
	keptHours   = 366 * 24 * time.Hour
)

// A row holds (number, deciwatts, minutes measured) of each outlet as
// varints: five bytes or so each.
type rowEntry struct {
	outlet  uint64
	watts   float64
	minutes uint64 // of an hour; 1 in a row of a minute
}

func encodeRow(entries []rowEntry) []byte {
	var b []byte
	for _, e := range entries {
		b = binary.AppendUvarint(b, e.outlet)
		b = binary.AppendUvarint(b, uint64(math.Round(max(e.watts, 0)*10)))
		b = binary.AppendUvarint(b, e.minutes)
	}
	return b
}

func decodeRow(b []byte, take func(rowEntry)) {
	for len(b) > 0 {
		var v [3]uint64
		for i := range v {
			n := 0
			if v[i], n = binary.Uvarint(b); n <= 0 {
				return
			}
			b = b[n:]
		}
		take(rowEntry{v[0], float64(v[1]) / 10, v[2]})
	}
}

// metered is the number of an outlet and what it used so far.
type metered struct {
	Number uint64  `json:"n"`
	Wh     float64 `json:"wh"`
	Since  int64   `json:"since"` // Unix seconds
}

func readMetered(b *bbolt.Bucket, outlet string, m *metered) error {
	data := b.Get([]byte(outlet))
	if data == nil {
		return nil
	}
	return json.Unmarshal(data, m)
}

// WattMinute is the mean power of outlets in the minute that begins at At.
type WattMinute struct {
	At    time.Time
	Watts map[string]float64
}

// RecordWatts keeps minutes, oldest first. It is one transaction, which writes
// the hours that are over too, and forgets what is too old. Nothing measured
// writes nothing.
func (s *Store) RecordWatts(minutes ...WattMinute) error {
	minutes = slices.DeleteFunc(slices.Clone(minutes), func(m WattMinute) bool { return len(m.Watts) == 0 })
	if len(minutes) == 0 {
		return nil
	}
	return s.write(func(tx *bbolt.Tx) error {
		root := tx.Bucket(bucketMeters)
		for _, m := range minutes {
			minute := m.At.UTC().Truncate(time.Minute)
			entries, err := countWatts(root, minute, m.Watts)
			if err != nil {
				return err
			}
			if err := recordMinute(root, minute, entries); err != nil {
				return err
			}
		}
		return nil
	})
}

func recordMinute(root *bbolt.Bucket, minute time.Time, entries []rowEntry) error {
	minutes, err := root.CreateBucketIfNotExists(metersMinutes)
	if err != nil {
		return err
	}
	hours, err := root.CreateBucketIfNotExists(metersHours)
	if err != nil {
		return err
	}
	minutes.FillPercent, hours.FillPercent = 0.9, 0.9 // keys only grow
	if err := foldHours(minutes, hours, minute); err != nil {
		return err
	}
	if err := minutes.Put(key(uint64(minute.Unix())), encodeRow(entries)); err != nil {
		return err
	}
	if err := pruneBefore(minutes, minute.Add(-keptMinutes)); err != nil {
		return err
	}
	return pruneBefore(hours, minute.Add(-keptHours))
}

// countWatts gives outlets their numbers and adds the minute to their totals.
func countWatts(root *bbolt.Bucket, minute time.Time, watts map[string]float64) ([]rowEntry, error) {
	outlets, err := root.CreateBucketIfNotExists(metersOutlets)
	if err != nil {
		return nil, err
	}
	var entries []rowEntry
	for _, name := range model.Names(watts) {
		m := metered{Since: minute.Unix()}
		if err := readMetered(outlets, name, &m); err != nil {
			return nil, err
		}
		if m.Number == 0 {
			if m.Number, err = root.NextSequence(); err != nil {
				return nil, err
			}
		}
		m.Wh += watts[name] / 60
		if err := putJSON(outlets, []byte(name), m); err != nil {
			return nil, err
		}
		entries = append(entries, rowEntry{m.Number, watts[name], 1})
	}
	return entries, nil
}

// foldHours writes the rows of the hours that are over and have none yet.
func foldHours(minutes, hours *bbolt.Bucket, now time.Time) error {
	this := now.Truncate(time.Hour)
	from := this.Add(-keptMinutes).Truncate(time.Hour)
	if last, _ := hours.Cursor().Last(); last != nil {
		if next := time.Unix(int64(number(last)), 0).Add(time.Hour); next.After(from) {
			from = next
		}
	}
	if !from.Before(this) {
		return nil
	}
	sums := map[int64]map[uint64]*rowEntry{}
	scan(minutes, from, this, func(at int64, e rowEntry) {
		hour := at - at%3600
		if sums[hour] == nil {
			sums[hour] = map[uint64]*rowEntry{}
		}
		if sums[hour][e.outlet] == nil {
			sums[hour][e.outlet] = &rowEntry{outlet: e.outlet}
		}
		sum := sums[hour][e.outlet]
		sum.watts, sum.minutes = sum.watts+e.watts, sum.minutes+1
	})
	for hour, of := range sums {
		var entries []rowEntry
		for _, n := range slices.Sorted(maps.Keys(of)) {
			entries = append(entries, rowEntry{n, of[n].watts / float64(of[n].minutes), of[n].minutes})
		}
		if err := hours.Put(key(uint64(hour)), encodeRow(entries)); err != nil {
			return err
		}
	}
	return nil
}

func scan(rows *bbolt.Bucket, from, until time.Time, take func(at int64, e rowEntry)) {
	if rows == nil {
		return
	}
	c := rows.Cursor()
	for k, v := c.Seek(key(uint64(max(from.Unix(), 0)))); k != nil; k, v = c.Next() {
		at := int64(number(k))
		if at >= until.Unix() {
			return
		}
		decodeRow(v, func(e rowEntry) { take(at, e) })
	}
}

func pruneBefore(rows *bbolt.Bucket, oldest time.Time) error {
	c := rows.Cursor()
	for k, _ := c.First(); k != nil && int64(number(k)) < oldest.Unix(); k, _ = c.First() {
		if err := rows.Delete(slices.Clone(k)); err != nil {
			return err
		}
	}
	return nil
}

// followMeters has what was measured go, or follow, as its outlet does.
func followMeters(tx *bbolt.Tx, after *model.State, changes []model.ObjectChange) error {
	b := tx.Bucket(bucketMeters).Bucket(metersOutlets)
	if b == nil {
		return nil
	}
	gone := after.Remade()
	for _, c := range changes {
		if c.After == nil {
			gone = append(gone, c.Ref)
		}
	}
	moved := map[string][]byte{}
	for _, ref := range gone {
		if from, ok := after.Origin(ref); ok && ref.Kind == model.KindOutlet {
			moved[ref.Name] = slices.Clone(b.Get([]byte(from.Name)))
		}
	}
	for _, ref := range gone {
		if ref.Kind != model.KindOutlet {
			continue
		}
		if err := b.Delete([]byte(ref.Name)); err != nil {
			return err
		}
	}
	for name, value := range moved {
		if value == nil {
			continue
		}
		if err := b.Put([]byte(name), value); err != nil {
			return err
		}
	}
	return nil
}
