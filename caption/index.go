package caption

import (
	"crypto/sha256"
	"encoding/binary"
	"time"
)

// index finds records by name and by bytes and holds none of them: 56 bytes a record and 8 to 16 more in its two tables,
// without a pointer for the collector to follow. What it finds depends on which records it was given, never on the order.
//
// It tells names apart by 128 bits of a hash and digests of pictures by 64; who reads a record compares the whole.
type index struct {
	chunks  [][]entry
	n       int
	byID    table // of each ID one entry, from which next leads to the others
	byImage table // of each picture's bytes the entry whose caption was first
}

// entry is the latest caption of an ID with the bytes of one picture, or the latest failure of an ID.
type entry struct {
	id     [16]byte // of the SHA-256 of the ID
	image  uint64   // of the SHA-256 of the picture's digest
	at     uint64   // the record's time: see sortableTime
	first  uint64   // time of the first caption of the ID with these bytes
	place  place
	length uint32 // bytes of the line without its end; the top bit marks a failure
	next   uint32 // the next entry of the same ID, from 1; 0: none
}

// place is where a record begins: a journal's index (24 bits) and an offset in bytes (40 bits). Places sort as the records
// are read.
type place uint64

const (
	maxJournals  = 1 << 24
	maxJournal   = 1 << 40 // bytes
	failedRecord = 1 << 31 // in entry.length
)

func (p place) journal() int  { return int(p >> 40) }
func (p place) offset() int64 { return int64(p & (maxJournal - 1)) }

// ref is where to read one record. The entry it is of may meanwhile have got a later one; this one stays where it is.
type ref struct {
	place  place
	length uint32
	group  uint32 // see Store.sorted
}

func (e *entry) failed() bool { return e.length&failedRecord != 0 }
func (e *entry) ref() ref     { return ref{place: e.place, length: e.length &^ failedRecord} }

// later says whether e's record takes the place of another. Of records of the same time, that is the one read last.
func (e *entry) later(than *entry) bool {
	return e.at > than.at || e.at == than.at && e.place >= than.place
}

// newEntry is a record's entry.
func newEntry(id, imageSHA256, at []byte, failed bool, where place, length int) entry {
	e := entry{id: idHash(id), image: imageHash(imageSHA256), at: sortableTime(at), place: where, length: uint32(length)}
	e.first = e.at
	if failed {
		e.length |= failedRecord
	}
	return e
}

func idHash(id []byte) [16]byte {
	sum := sha256.Sum256(id)
	return [16]byte(sum[:16])
}

func imageHash(digest []byte) uint64 {
	sum := sha256.Sum256(digest)
	return binary.LittleEndian.Uint64(sum[:])
}

// add takes a record in. earlier says which of two captions of the same bytes and time has the lesser ID, by reading them.
func (x *index) add(e entry, earlier func(a, b ref) (bool, error)) error {
	head := x.find(e.id)
	var same *entry
	at := head
	for n := head; n != 0; n = x.entry(n).next {
		o := x.entry(n)
		if o.failed() == e.failed() && (e.failed() || o.image == e.image) {
			same, at = o, n
			break
		}
	}
	if same == nil {
		at = x.push(e)
		same = x.entry(at)
		if head == 0 {
			x.insertID(at)
		} else {
			h := x.entry(head)
			same.next, h.next = h.next, at
		}
	} else {
		first := min(same.first, e.first)
		if e.later(same) {
			e.next = same.next
			*same = e
		}
		same.first = first
	}
	if e.failed() {
		return nil
	}
	return x.offer(at, earlier)
}

// offer makes entry n the one of its picture's bytes, if its caption was the first.
func (x *index) offer(n uint32, earlier func(a, b ref) (bool, error)) error {
	e := x.entry(n)
	slot := x.imageSlot(e.image)
	had := x.byImage.slots[slot]
	if had == n {
		return nil
	}
	if had != 0 {
		o := x.entry(had)
		wins := e.first < o.first
		if e.first == o.first {
			var err error
			if wins, err = earlier(e.ref(), o.ref()); err != nil {
				return err
			}
		}
		if wins {
			x.byImage.slots[slot] = n
		}
		return nil
	}
	x.byImage.slots[slot] = n
	x.byImage.used++
	if x.byImage.full() {
		x.byImage.grow(func(n uint32) uint64 { return x.entry(n).image })
	}
	return nil
}

// lookup finds the latest caption of an ID with these bytes.
func (x *index) lookup(id [16]byte, image uint64) (ref, bool) {
	for n := x.find(id); n != 0; n = x.entry(n).next {
		if e := x.entry(n); !e.failed() && e.image == image {
			return e.ref(), true
		}
	}
	return ref{}, false
}

// twin finds the latest caption of these bytes and of the ID that had the first one.
func (x *index) twin(image uint64) (ref, bool) {
	if x.byImage.used == 0 {
		return ref{}, false
	}
	n := x.byImage.slots[x.imageSlot(image)]
	if n == 0 {
		return ref{}, false
	}
	return x.entry(n).ref(), true
}

// captioned is the latest caption in the chain of entries from n on, or nil.
func (x *index) captioned(n uint32) *entry {
	var latest *entry
	for ; n != 0; n = x.entry(n).next {
		if e := x.entry(n); !e.failed() && (latest == nil || e.later(latest)) {
			latest = e
		}
	}
	return latest
}

// failure is the failure in the chain of entries from n on, or nil where a caption of the same bytes, or a later one of
// other bytes, has made it good.
func (x *index) failure(n uint32) *entry {
	var failure *entry
	for m := n; m != 0 && failure == nil; m = x.entry(m).next {
		if e := x.entry(m); e.failed() {
			failure = e
		}
	}
	if failure == nil {
		return nil
	}
	for ; n != 0; n = x.entry(n).next {
		if e := x.entry(n); !e.failed() && (e.image == failure.image || e.at >= failure.at) {
			return nil
		}
	}
	return failure
}

// stands says whether the caption of an ID with these bytes is what the ID has: no caption of other bytes is later, and no
// failure is left.
func (x *index) stands(id [16]byte, image uint64) bool {
	head := x.find(id)
	c := x.captioned(head)
	return c != nil && c.image == image && x.failure(head) == nil
}

// refs lists the entry that pick finds for each ID that has one, in no order.
func (x *index) refs(pick func(*index, uint32) *entry) []ref {
	count := 0
	for _, n := range x.byID.slots {
		if n != 0 && pick(x, n) != nil {
			count++
		}
	}
	refs := make([]ref, 0, count)
	for _, n := range x.byID.slots {
		if n == 0 {
			continue
		}
		if e := pick(x, n); e != nil {
			refs = append(refs, e.ref())
		}
	}
	return refs
}

const chunkEntries = 4096 // 224 KiB: the last chunk is all that growing wastes

// entry is the n-th entry, from 1. Entries stay where they are.
func (x *index) entry(n uint32) *entry { return &x.chunks[(n-1)/chunkEntries][(n-1)%chunkEntries] }

func (x *index) push(e entry) uint32 {
	if x.n%chunkEntries == 0 {
		x.chunks = append(x.chunks, make([]entry, chunkEntries))
	}
	x.n++
	n := uint32(x.n)
	*x.entry(n) = e
	return n
}

// table is a hash table of entries' numbers with open addressing; 0 is an empty slot.
type table struct {
	slots []uint32 // a power of two
	used  int
}

func (t *table) full() bool { return t.used*4 > len(t.slots)*3 }

func (t *table) grow(hash func(uint32) uint64) {
	old := t.slots
	t.slots = make([]uint32, max(16, 2*len(old)))
	for _, n := range old {
		if n != 0 {
			slot := t.begin(hash(n))
			for t.slots[slot] != 0 {
				slot = t.after(slot)
			}
			t.slots[slot] = n
		}
	}
}

func (t *table) begin(hash uint64) int { return int(hash & uint64(len(t.slots)-1)) }
func (t *table) after(slot int) int    { return (slot + 1) & (len(t.slots) - 1) }

// find is the first entry of an ID, or 0.
func (x *index) find(id [16]byte) uint32 {
	if len(x.byID.slots) == 0 {
		return 0
	}
	slot := x.byID.begin(binary.LittleEndian.Uint64(id[:]))
	for x.byID.slots[slot] != 0 && x.entry(x.byID.slots[slot]).id != id {
		slot = x.byID.after(slot)
	}
	return x.byID.slots[slot]
}

// insertID puts an entry of a new ID in its table.
func (x *index) insertID(n uint32) {
	t := &x.byID
	hash := func(n uint32) uint64 { return binary.LittleEndian.Uint64(x.entry(n).id[:]) }
	if len(t.slots) == 0 || t.full() {
		t.grow(hash)
	}
	slot := t.begin(hash(n))
	for t.slots[slot] != 0 {
		slot = t.after(slot)
	}
	t.slots[slot] = n
	t.used++
}

// imageSlot is the slot of a picture's bytes, or an empty one.
func (x *index) imageSlot(image uint64) int {
	t := &x.byImage
	if len(t.slots) == 0 {
		t.grow(nil)
	}
	slot := t.begin(image)
	for t.slots[slot] != 0 && x.entry(t.slots[slot]).image != image {
		slot = t.after(slot)
	}
	return slot
}

// sortableTime packs a record's time to the microsecond so that numbers sort as times do. What is not a time is 0.
func sortableTime(text []byte) uint64 {
	if t, ok := packTime(text); ok {
		return t
	}
	for _, layout := range []string{time.RFC3339Nano, time.DateOnly} {
		if t, err := time.Parse(layout, string(text)); err == nil {
			packed, _ := packTime([]byte(t.UTC().Format(recordTime)))
			return packed
		}
	}
	return 0
}

// packTime packs the format recordTime.
func packTime(text []byte) (uint64, bool) {
	const form = "0000-00-00T00:00:00.000000Z"
	if len(text) != len(form) {
		return 0, false
	}
	var packed, field uint64
	widths := [...]int{4, 5, 5, 6, 6, 20} // bits of month, day, hour, minute, second, microsecond
	limits := [...]uint64{9999, 12, 31, 23, 59, 60, 999999}
	n := 0
	for i := range len(form) {
		if form[i] == '0' {
			d := text[i] - '0'
			if d > 9 {
				return 0, false
			}
			field = field*10 + uint64(d)
			continue
		}
		if text[i] != form[i] || field > limits[n] {
			return 0, false
		}
		packed |= field
		if n < len(widths) {
			packed <<= widths[n]
		}
		field = 0
		n++
	}
	return packed, true
}
