package lua51

import (
	"math"
	"math/big"
	"testing"
)

func TestPowOfWholeExponentsIsExact(t *testing.T) {
	for base := 2; base <= 60; base++ {
		for exponent := range 80 {
			exact := new(big.Float).SetInt(new(big.Int).Exp(big.NewInt(int64(base)), big.NewInt(int64(exponent)), nil))
			want, _ := exact.Float64()
			if got := Pow(float64(base), float64(exponent)); got != want {
				t.Errorf("%d^%d = %v, want %v", base, exponent, got, want)
			}
			inverse, _ := new(big.Float).SetPrec(200).Quo(big.NewFloat(1), exact).Float64()
			if got := Pow(float64(base), -float64(exponent)); got != inverse {
				t.Errorf("%d^-%d = %v, want %v", base, exponent, got, inverse)
			}
		}
	}
}

func TestPowAgreesWithGoElsewhere(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	values := []float64{0, math.Copysign(0, -1), 1, -1, 2, -2, 0.5, -0.5, 1.5, -2.5, 3, 1e300, 1e-300, -1e300, 5e-324, 1 << 53, 1025, 1e10, inf, -inf, nan}
	for _, x := range values {
		for _, y := range values {
			got, want := Pow(x, y), math.Pow(x, y)
			if got != want && !(got != got && want != want) && math.Abs(got-want) > math.Abs(want)*1e-14 {
				t.Errorf("Pow(%v, %v) = %v, Go has %v", x, y, got, want)
			}
		}
	}
}
