package main

import (
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"os"
	"path/filepath"
	"testing"
	"unicode/utf8"

	uv "github.com/charmbracelet/ultraviolet"
	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gomono"
	"golang.org/x/image/font/gofont/gomonobold"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

// The size of a cell of a picture, in pixels, and where the letters stand.
const (
	cellW, cellH = 10, 20
	baseline     = 15
	fontSize     = 16.6 // of Go Mono, for cells of that width
)

var paper, ink = color.RGBA{0x18, 0x1a, 0x1f, 0xff}, color.RGBA{0xd7, 0xda, 0xe0, 0xff}

// picture writes what is on the screen as a PNG, if pictures are wanted; it is
// drawn in any case.
func (x *terminal) picture(name string) {
	x.t.Helper()
	img := x.drawn(face(x.t, gomono.TTF), face(x.t, gomonobold.TTF))
	if *pictures == "" {
		return
	}
	f, err := os.Create(filepath.Join(*pictures, name+".png"))
	if err != nil {
		x.t.Fatal(err)
	}
	defer f.Close()
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(f, img); err != nil {
		x.t.Fatal(err)
	}
}

func face(t *testing.T, ttf []byte) font.Face {
	t.Helper()
	parsed, err := opentype.Parse(ttf)
	if err != nil {
		t.Fatal(err)
	}
	f, err := opentype.NewFace(parsed, &opentype.FaceOptions{Size: fontSize, DPI: 72, Hinting: font.HintingFull})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// drawn is the screen as a picture with a margin of a cell.
func (x *terminal) drawn(plain, bold font.Face) *image.Paletted {
	w, h := x.em.Width(), x.em.Height()
	seen := uv.NewScreenBuffer(w, h) // a copy: the session goes on
	x.em.Draw(seen, seen.Bounds())
	img := image.NewRGBA(image.Rect(0, 0, (w+2)*cellW, (h+1)*cellH))
	draw.Draw(img, img.Bounds(), image.NewUniform(paper), image.Point{}, draw.Src)
	for row := range h {
		for col := range w {
			if c := seen.CellAt(col, row); c != nil {
				drawCell(img, image.Pt((col+1)*cellW, row*cellH+cellH/2), c, plain, bold)
			}
		}
	}
	return paletted(img)
}

func drawCell(img *image.RGBA, at image.Point, c *uv.Cell, plain, bold font.Face) {
	fg, bg := color.Color(ink), color.Color(paper)
	if c.Style.Fg != nil {
		fg = c.Style.Fg
	}
	if c.Style.Bg != nil {
		bg = c.Style.Bg
	}
	if c.Style.Attrs&uv.AttrReverse != 0 {
		fg, bg = bg, fg
	}
	fill(img, at, 0, 0, cellW, cellH, bg)
	if c.Style.Underline != uv.UnderlineNone {
		fill(img, at, 0, cellH-3, cellW, cellH-2, fg)
	}
	r, _ := utf8.DecodeRuneInString(c.Content)
	if c.Content == "" || r == ' ' || drawSign(img, at, r, fg) {
		return
	}
	f := plain
	if c.Style.Attrs&uv.AttrBold != 0 {
		f = bold
	}
	d := font.Drawer{Dst: img, Src: image.NewUniform(fg), Face: f, Dot: fixed.P(at.X, at.Y+baseline)}
	d.DrawString(c.Content)
}

// fill paints a part of a cell.
func fill(img *image.RGBA, at image.Point, x0, y0, x1, y1 int, c color.Color) {
	draw.Draw(img, image.Rect(x0, y0, x1, y1).Add(at), image.NewUniform(c), image.Point{}, draw.Src)
}

// drawSign draws what must fill its cell, so that blocks and lines join, or is
// not in the font; false if it is a letter.
func drawSign(img *image.RGBA, at image.Point, r rune, c color.Color) bool {
	const midX, midY = cellW / 2, cellH / 2
	switch {
	case r >= '▁' && r <= '█':
		fill(img, at, 0, cellH-cellH*int(r-'▁'+1)/8, cellW, cellH, c)
	case r == '▌':
		fill(img, at, 0, 0, cellW/2, cellH, c)
	case r == '─' || r == '━':
		thick := 1
		if r == '━' {
			thick = 3
		}
		fill(img, at, 0, midY-thick/2, cellW, midY-thick/2+thick, c)
	case r == '│':
		fill(img, at, midX, 0, midX+1, cellH, c)
	case r == '╭' || r == '╰' || r == '╮' || r == '╯':
		right, down := r == '╭' || r == '╰', r == '╭' || r == '╮'
		x0, x1, y0, y1 := 0, midX+1, 0, midY+1
		if right {
			x0, x1 = midX, cellW
		}
		if down {
			y0, y1 = midY, cellH
		}
		fill(img, at, x0, midY, x1, midY+1, c)
		fill(img, at, midX, y0, midX+1, y1, c)
	default:
		inside, ok := shapes[r]
		if !ok {
			return false
		}
		shape(img, at, inside, c)
	}
	return true
}

// shapes are signs that a font may lack, by which points of the unit square
// (x to the right, y down) belong to them.
var shapes = map[rune]func(x, y float64) bool{
	'●': func(x, y float64) bool { return disc(x, y) < 0.16 },
	'○': func(x, y float64) bool { d := disc(x, y); return d < 0.16 && d > 0.09 },
	'◐': func(x, y float64) bool { d := disc(x, y); return d < 0.16 && (x < 0.5 || d > 0.09) },
	'▸': func(x, y float64) bool { return x > 0.25 && x < 0.8 && abs(y-0.5) < (0.8-x)*0.6 },
	'·': func(x, y float64) bool { return disc(x, y) < 0.016 },
	'▪': func(x, y float64) bool { return abs(x-0.5) < 0.22 && abs(y-0.5) < 0.22 },
	'✓': func(x, y float64) bool {
		return stroke(x, y, 0.15, 0.55, 0.4, 0.8) || stroke(x, y, 0.4, 0.8, 0.88, 0.18)
	},
	'✗': func(x, y float64) bool { return stroke(x, y, 0.2, 0.2, 0.8, 0.8) || stroke(x, y, 0.8, 0.2, 0.2, 0.8) },
}

func disc(x, y float64) float64 { return (x-0.5)*(x-0.5) + (y-0.5)*(y-0.5) }

func abs(v float64) float64 { return max(v, -v) }

// stroke tells whether a point lies on a line between two.
func stroke(x, y, x0, y0, x1, y1 float64) bool {
	dx, dy := x1-x0, y1-y0
	t := min(max(((x-x0)*dx+(y-y0)*dy)/(dx*dx+dy*dy), 0), 1)
	px, py := x-x0-t*dx, y-y0-t*dy
	return px*px+py*py < 0.085*0.085
}

// shape draws a sign in the middle of a cell, softened at its edges.
func shape(img *image.RGBA, at image.Point, inside func(x, y float64) bool, c color.Color) {
	const fine = 4
	top := (cellH - cellW) / 2
	r, g, b, _ := c.RGBA()
	for py := range cellW {
		for px := range cellW {
			hits := 0
			for s := range fine * fine {
				x := (float64(px) + (float64(s%fine)+0.5)/fine) / cellW
				y := (float64(py) + (float64(s/fine)+0.5)/fine) / cellW
				if inside(x, y) {
					hits++
				}
			}
			a := uint32(hits * 0xffff / (fine * fine))
			p := image.Rect(px, py+top, px+1, py+top+1).Add(at)
			draw.Draw(img, p, image.NewUniform(color.RGBA64{uint16(r * a / 0xffff), uint16(g * a / 0xffff), uint16(b * a / 0xffff), uint16(a)}), image.Point{}, draw.Over)
		}
	}
}

// paletted brings a picture to 256 colours at most: those that are in it most.
// It is a fraction of the size then.
func paletted(img *image.RGBA) *image.Paletted {
	const step = 0x0c // shades of a softened edge that nobody tells apart
	seen := map[color.RGBA]int{}
	for i := 0; i < len(img.Pix); i += 4 {
		seen[color.RGBA{img.Pix[i] / step * step, img.Pix[i+1] / step * step, img.Pix[i+2] / step * step, 0xff}]++
	}
	var most color.Palette
	for len(most) < 255 && len(seen) > 0 {
		var best color.RGBA
		n := -1
		for c, k := range seen {
			if k > n || k == n && (c.R < best.R || c.R == best.R && (c.G < best.G || c.G == best.G && c.B < best.B)) {
				best, n = c, k
			}
		}
		most = append(most, best)
		delete(seen, best)
	}
	out := image.NewPaletted(img.Bounds(), append(most, paper))
	draw.Draw(out, out.Bounds(), img, image.Point{}, draw.Src)
	return out
}
