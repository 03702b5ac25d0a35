package model

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
)

// Limits of a dump of the predecessor.
const (
	maxDump        = 16 << 20
	maxDumpObjects = 20_000
)

// dump is what the predecessor's Django dump holds, in its order.
type dump struct {
	hypervisors []oldHypervisor
	profiles    []oldProfile
	vms         []oldVM
	others      map[string]int // objects of models that are not the lab's, by model
}

type oldHypervisor struct {
	pk        string
	Name      string `json:"name"`
	Interface string `json:"interface"`
}

type oldProfile struct {
	pk      string
	Name    string `json:"name"`
	Enabled bool   `json:"enabled"`
}

type oldVM struct {
	pk           string
	Name         string          `json:"name"`
	RAM          int             `json:"ram_in_mb"`
	CPU          int             `json:"cpu"`
	Host         json.RawMessage `json:"host"`
	Role         string          `json:"role"`
	Profile      json.RawMessage `json:"profile"`
	Image        string          `json:"image"`
	StaticIP     string          `json:"static_ip"`
	SaltMaster   string          `json:"saltmaster_ip"`
	Enabled      bool            `json:"enabled"`
	ExtraStorage int             `json:"extra_storage_in_gb"`
	NICs         int             `json:"network_interface_count"`
	ExtraPool    string          `json:"extra_storage_pool"`
}

// readDump reads a dump as `manage.py dumpdata resources` writes it.
func readDump(data []byte) (*dump, error) {
	if len(data) > maxDump {
		return nil, fmt.Errorf("the dump is %d bytes; at most %d are read", len(data), maxDump)
	}
	var objects []struct {
		Model  string          `json:"model"`
		PK     json.RawMessage `json:"pk"`
		Fields json.RawMessage `json:"fields"`
	}
	if err := json.Unmarshal(bytes.TrimPrefix(data, []byte("\ufeff")), &objects); err != nil {
		return nil, fmt.Errorf("this is no dump of homelabmanager; make one with: manage.py dumpdata resources (%s)", whyNot(err))
	}
	if len(objects) > maxDumpObjects {
		return nil, fmt.Errorf("the dump has %d objects; at most %d are read", len(objects), maxDumpObjects)
	}
	d := &dump{others: map[string]int{}}
	seen := map[string]bool{}
	for i, o := range objects {
		pk := string(o.PK)
		var err error
		switch o.Model {
		case "resources.hypervisor":
			d.hypervisors, err = appendOld(d.hypervisors, o.Fields, func(h *oldHypervisor) { h.pk = pk })
		case "resources.profile":
			d.profiles, err = appendOld(d.profiles, o.Fields, func(p *oldProfile) { p.pk = pk })
		case "resources.virtualmachine":
			d.vms, err = appendOld(d.vms, o.Fields, func(vm *oldVM) { vm.pk = pk })
		default:
			d.others[clip(o.Model)]++
			continue
		}
		if err == nil && (pk == "" || pk == "null") {
			err = errors.New("it has no pk")
		}
		if err == nil && seen[o.Model+" "+pk] {
			err = errors.New("its pk is there twice")
		}
		if err != nil {
			return nil, fmt.Errorf("object %d of the dump, %s %s: %w", i+1, clip(o.Model), clip(pk), err)
		}
		seen[o.Model+" "+pk] = true
	}
	return d, nil
}

// whyNot says what is wrong with JSON, without Go's types.
func whyNot(err error) string {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax) && syntax.Offset > 0:
		return fmt.Sprintf("it is no JSON: %v, at byte %d", err, syntax.Offset)
	case errors.As(err, &kind) && kind.Field != "":
		return fmt.Sprintf("its %s is a JSON %s and not %s", kind.Field, kind.Value, jsonKind(kind.Type.Kind()))
	case errors.As(err, &kind):
		return fmt.Sprintf("it is a JSON %s and not %s", kind.Value, jsonKind(kind.Type.Kind()))
	}
	return "it is no JSON: " + err.Error()
}

func jsonKind(k reflect.Kind) string {
	switch k {
	case reflect.Slice:
		return "a list"
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "a whole number"
	}
	return "an object"
}

func appendOld[T any](list []T, fields []byte, identify func(*T)) ([]T, error) {
	var obj T
	if len(fields) == 0 {
		return nil, errors.New("it has no fields")
	}
	if err := json.Unmarshal(fields, &obj); err != nil {
		return nil, errors.New(whyNot(err))
	}
	identify(&obj)
	return append(list, obj), nil
}
