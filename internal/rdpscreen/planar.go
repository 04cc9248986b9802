package rdpscreen

import "errors"

var errPlanar = errors.New("rdpscreen: a planar picture that does not decode")

// Bits of the format header (MS-RDPEGDI 2.2.2.5.1). Loss of colour and subsampling are not negotiated.
const (
	planarLoss    = 0x07
	planarSample  = 0x08
	planarRLE     = 0x10
	planarNoAlpha = 0x20
)

// planar decodes a picture of width*height into dst, as blue, green, red and a byte that says nothing.
func planar(dst, src []byte, width, height int) error {
	if len(src) < 1 || src[0]&(planarLoss|planarSample) != 0 {
		return errPlanar
	}
	head := src[0]
	src = src[1:]
	plane := func(offset int) (err error) {
		if head&planarRLE == 0 {
			src, err = rawPlane(dst, src, width*height, offset)
		} else {
			src, err = runPlane(dst, src, width, height, offset)
		}
		return err
	}
	if head&planarNoAlpha == 0 {
		if err := plane(3); err != nil {
			return err
		}
	}
	for _, offset := range []int{2, 1, 0} { // red, green, blue
		if err := plane(offset); err != nil {
			return err
		}
	}
	return nil
}

func rawPlane(dst, src []byte, n, offset int) ([]byte, error) {
	if len(src) < n {
		return nil, errPlanar
	}
	for i, v := range src[:n] {
		dst[i*4+offset] = v
	}
	return src[n:], nil
}

// runPlane decodes rows of segments: a byte with the number of raw values in its high and the length of the run of the last of
// them in its low half; runs of 1 and 2 mean that the high half is 16 and 32 less than the length. Values of
// all rows but the first are differences to the row before: sign in the lowest bit.
func runPlane(dst, src []byte, width, height, offset int) ([]byte, error) {
	for y := range height {
		row := dst[y*width*4:]
		var above []byte
		if y > 0 {
			above = dst[(y-1)*width*4:]
		}
		var value byte
		for x := 0; x < width; {
			if len(src) == 0 {
				return nil, errPlanar
			}
			raw, run := int(src[0]>>4), int(src[0]&0xf)
			src = src[1:]
			if run == 1 || run == 2 {
				raw, run = 0, raw+16*run
			}
			if raw > len(src) || x+raw+run > width || raw+run == 0 {
				return nil, errPlanar
			}
			for i := range raw + run {
				if i < raw {
					value = src[i]
					if above != nil {
						value = unfold(value)
					}
				}
				v := value
				if above != nil {
					v += above[(x+i)*4+offset]
				}
				row[(x+i)*4+offset] = v
			}
			src, x = src[raw:], x+raw+run
		}
	}
	return src, nil
}

// unfold gives the difference that a value stands for.
func unfold(v byte) byte {
	if v&1 != 0 {
		return -(v >> 1) - 1
	}
	return v >> 1
}
