#!/usr/bin/env bash
# tardis-dev 13.35.3 (npm): grouped book snapshots keep groups that are gone, and put prices into the group below or above.
#
# Expected: computeBookSnapshots with `grouping` sums the levels of a book by price, and each snapshot is the book at its time,
# as without `grouping`; a price that is a multiple of the group is its own group.
# Seen: only groups that are there are written, over those of before, so a book with fewer groups keeps the rest of the old: after
# the market fell by 5,000 and the exchange sent a new snapshot of one bid and one ask, bids above the best ask stand second and
# third, and the sum of the side is wrong. When the last ask goes, no snapshot comes at all. And with a group of 0.01, as for a
# market of that tick, the bid 1.15 stands at 1.14, 0.58 at 0.57, 0.29 at 0.28: binary fractions are divided.
#
# Needs Node.js.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
npm install --silent --no-audit --no-fund --prefix "$work" tardis-dev@13.35.3
cd "$work"
cat > read.js <<'EOF'
const assert = require('node:assert')
const { computeBookSnapshots } = require('tardis-dev')
console.log('tardis-dev', require('tardis-dev/package.json').version)

let time = Date.parse('2026-11-30T00:00:00Z')

function levels(pairs) {
  return pairs.map(([price, amount]) => ({ price, amount }))
}

/** Give a book_change as the package's own normalizers do. */
function change(isSnapshot, bids, asks) {
  const timestamp = new Date((time += 100))
  const names = { type: 'book_change', symbol: 'BTCUSDT', exchange: 'binance', isSnapshot }
  return { ...names, bids: levels(bids), asks: levels(asks), timestamp, localTimestamp: timestamp }
}

/** Give the bids and asks of each snapshot that a list of changes makes. */
function snapshots(options, changes) {
  const book = computeBookSnapshots({ depth: 3, interval: 0, ...options })()
  const short = (side) => side.filter((level) => level.price !== undefined).map((level) => [level.price, level.amount])
  return changes.map((one) => [...book.compute(one)].map(({ bids, asks }) => [short(bids), short(asks)]))
}

const before = change(true, [[64999, 1], [64989, 2], [64979, 3]], [[65001, 1], [65011, 2], [65021, 3]])
const after = change(true, [[60000, 7]], [[60010, 5]])
const gone = change(false, [], [[60010, 0]])

const plain = snapshots({}, [before, after, gone])
console.log('without grouping, after the fall and after the last ask:', JSON.stringify(plain.slice(1)))
assert.deepStrictEqual(plain.slice(1), [[[[[60000, 7]], [[60010, 5]]]], [[[[60000, 7]], []]]])

const grouped = snapshots({ grouping: 10 }, [before, after, gone])
console.log('grouping 10, bids and asks before, after the fall and after the last ask:', JSON.stringify(grouped))
assert.deepStrictEqual(grouped[1], [[[[60000, 7], [64980, 2], [64970, 3]], [[60010, 5], [65020, 2], [65030, 3]]]])
assert.deepStrictEqual(grouped[2], [])

const [[[bids]]] = snapshots({ grouping: 0.01 }, [change(true, [[1.15, 1], [0.58, 1], [0.29, 1]], [[1.16, 1]])])
console.log('grouping 0.01, bids of 1.15, 0.58 and 0.29:', JSON.stringify(bids))
assert.deepStrictEqual(bids, [[1.14, 1], [0.57, 1], [0.28, 1]])
EOF
node read.js
