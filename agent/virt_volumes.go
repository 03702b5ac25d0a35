package agent

import (
	"context"
	"errors"

	"github.com/digitalocean/go-libvirt"
)

// errNoPool says that a pool is not there, or not active: that tells nothing of
// the volumes in it.
var errNoPool = errors.New("the pool is not there")

// lookUp finds a volume; errNoPool is an answer, too.
func lookUp(l *libvirt.Libvirt, x volume) (vol libvirt.StorageVol, ok bool, err error) {
	pool, err := l.StoragePoolLookupByName(x.Pool)
	if isCode(err, libvirt.ErrNoStoragePool) {
		return vol, false, errNoPool
	}
	if err != nil {
		return vol, false, err
	}
	vol, err = l.StorageVolLookupByName(pool, x.Name)
	switch {
	case isCode(err, libvirt.ErrNoStorageVol):
		return vol, false, nil
	case isCode(err, libvirt.ErrOperationInvalid):
		return vol, false, errNoPool
	}
	return vol, err == nil, err
}

// volumePath is where a volume lies, "" if there is none.
func (v *virt) volumePath(ctx context.Context, x volume) (string, error) {
	return call(ctx, v, func(l *libvirt.Libvirt) (string, error) {
		vol, _, err := lookUp(l, x)
		return vol.Key, err
	})
}
