#!/usr/bin/env bash
# parquet-go 0.32.0: a file read into fields of other types gives other numbers, without an error.
#
# Expected: a column that does not fit the type that is asked for is converted, or refused. Times are: it makes milliseconds of
# microseconds.
# Seen: a decimal's scale is passed over: 65000.10 of scale 8, read into a field of scale 2, is 65000100000.00, and as float64 it
# is 6500010000000. An int64 read into an int32 keeps its lower bits, so 4294967301 is 5, and the largest uint64 is -1 as an
# int64. Whoever reads another's file writes the fields by hand, so a wrong guess of the scale is not noticed here.
#
# Needs Go.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat > main.go <<'EOF'
package main

import (
	"bytes"
	"fmt"
	"time"

	"github.com/parquet-go/parquet-go"
)

type written struct {
	ID       int64     `parquet:"id"`
	Time     time.Time `parquet:"time,timestamp(microsecond)"`
	Price    int64     `parquet:"price,decimal(8:18)"`
	Sequence uint64    `parquet:"sequence"`
}

type wanted struct {
	ID       int32     `parquet:"id"`
	Time     time.Time `parquet:"time,timestamp(millisecond)"`
	Price    int64     `parquet:"price,decimal(2:18)"`
	Sequence int64     `parquet:"sequence"`
}

type float struct {
	Price float64 `parquet:"price"`
}

func read[T any](file []byte) T {
	rows, err := parquet.Read[T](bytes.NewReader(file), int64(len(file)))
	if err != nil {
		panic(err)
	}
	return rows[0]
}

func main() {
	var buffer bytes.Buffer
	at := time.UnixMicro(1795933164725686).UTC()
	if err := parquet.Write(&buffer, []written{{4294967301, at, 6500010000000, 18446744073709551615}}); err != nil {
		panic(err)
	}
	same, other := read[written](buffer.Bytes()), read[wanted](buffer.Bytes())
	fmt.Println(same.ID, same.Time.Format(time.RFC3339Nano), same.Price, same.Sequence)
	fmt.Println(other.ID, other.Time.Format(time.RFC3339Nano), other.Price, other.Sequence)
	fmt.Printf("%.0f\n", read[float](buffer.Bytes()).Price)
}
EOF
export GOFLAGS=-mod=mod
go mod init finding > log 2>&1
go get github.com/parquet-go/parquet-go@v0.32.0 >> log 2>&1
go run . > seen
echo "parquet-go $(go list -m -f '{{.Version}}' github.com/parquet-go/parquet-go): id, time, price and sequence as written, and"
echo "with a narrower id, milliseconds, scale 2 and a sign; the price as float64"
cat seen
diff seen - <<'EOF'
4294967301 2026-11-29T06:19:24.725686Z 6500010000000 18446744073709551615
5 2026-11-29T06:19:24.725Z 6500010000000 -1
6500010000000
EOF
