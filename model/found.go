package model

// FoundDevice is a device that was found at an address.
type FoundDevice struct {
	Address string   `json:"address"` // that it was asked at
	Outlet  Outlet   `json:"outlet"`  // its driver, and what is known of its settings
	About   string   `json:"about"`   // what it says of itself, for people
	Needs   []string `json:"needs"`   // settings and secrets that only a person knows
}

// DeviceReport is what an outlet's device said when it was asked on purpose.
type DeviceReport struct {
	State    Power    `json:"state"`
	Askable  bool     `json:"askable"` // it can say its state
	Cycles   bool     `json:"cycles"`  // it can cycle by itself
	Watts    *float64 `json:"watts"`   // null is no meter
	EnergyWh *float64 `json:"energy_wh"`
	TookMS   int64    `json:"took_ms"`
}
