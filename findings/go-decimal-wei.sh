#!/usr/bin/env bash
# shopspring/decimal 1.6.0 (Go): division keeps sixteen places, so the smallest unit of Ether divided by one is zero.
#
# Expected: significant digits, as Python's decimal and Java's MathContext count them, or at least the places of the number
# that is divided: a library for arbitrary precision multiplies and adds exactly.
# Seen: 0.000000000000000001 (one wei) by 1 is 0; 0.00000000123456789012 by 1 loses its last digits; and price times size,
# divided by that size, is not the price any more. DivisionPrecision, a variable of the package, is
# for the whole program; DivRound takes the places each time.
#
# Needs Go.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat > main.go <<'EOF'
package main

import (
	"fmt"
	"os"

	"github.com/shopspring/decimal"
)

func main() {
	one, wei := decimal.NewFromInt(1), decimal.RequireFromString("0.000000000000000001")
	price := decimal.RequireFromString("0.00000000123456789012")
	size := decimal.RequireFromString("3")
	average := price.Mul(size).Div(size)
	fmt.Println(wei.Div(one), price.Div(one), average, average.Equal(price), wei.DivRound(one, 18))
	if !wei.Div(one).IsZero() || price.Div(one).String() != "0.0000000012345679" || average.Equal(price) {
		os.Exit(1)
	}
	if !wei.DivRound(one, 18).Equal(wei) {
		os.Exit(1)
	}
}
EOF
export GOFLAGS=-mod=mod
go mod init finding > log 2>&1
go get github.com/shopspring/decimal@v1.6.0 >> log 2>&1
echo "shopspring/decimal $(go list -m -f '{{.Version}}' github.com/shopspring/decimal)"
echo "one wei / 1, price / 1, price * 3 / 3, whether that is the price, one wei by DivRound:"
go run .
