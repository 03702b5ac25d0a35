package agent

import (
	"encoding/xml"
	"fmt"

	"github.com/digitalocean/go-libvirt"
)

// domainDisk is a disk as a domain's XML has it.
type domainDisk struct {
	Device string `xml:"device,attr"`
	Source struct {
		File   string `xml:"file,attr"`
		Dev    string `xml:"dev,attr"`
		Pool   string `xml:"pool,attr"`
		Volume string `xml:"volume,attr"`
	} `xml:"source"`
	Target struct {
		Dev string `xml:"dev,attr"`
	} `xml:"target"`
}

// disksOf reads the disks of a domain, CDs and floppies too.
func disksOf(l *libvirt.Libvirt, d libvirt.Domain) ([]domainDisk, error) {
	text, err := l.DomainGetXMLDesc(d, 0)
	if err != nil {
		return nil, err
	}
	return readDisks(text)
}

func readDisks(text string) ([]domainDisk, error) {
	var d struct {
		Disks []domainDisk `xml:"devices>disk"`
	}
	if err := xml.Unmarshal([]byte(text), &d); err != nil {
		return nil, fmt.Errorf("its XML: %w", err)
	}
	return d.Disks, nil
}

// holds tells whether it is a disk and no CD or floppy.
func (d domainDisk) holds() bool { return d.Device == "" || d.Device == "disk" }

// in tells whether it lies in a volume, which a domain names by its pool, as the
// provider writes it, or by its path, as people do.
func (d domainDisk) in(x volume, path string) bool {
	return path != "" && d.Source.File == path || d.Source.Pool == x.Pool && d.Source.Volume == x.Name
}

// place is where it lies, for people.
func (d domainDisk) place() string {
	switch s := d.Source; {
	case s.Dev != "":
		return s.Dev
	case s.Volume != "":
		return s.Pool + "/" + s.Volume
	case s.File != "":
		return s.File
	}
	return "a disk over the network"
}
