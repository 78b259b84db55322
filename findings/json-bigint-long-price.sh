#!/usr/bin/env bash
# json-bigint 1.0.0 (npm): a price of more than fifteen characters makes it refuse the whole message, or gets another type.
#
# Expected: it is for integers that a double cannot hold; numbers with a point stay what JSON.parse makes of them.
# Seen: it counts characters, point included. With useNativeBigInt, 65000.5 is a number, and 1234567890.12345 is a SyntaxError
# ("Cannot convert ... to a BigInt") for a JSON that is right; with storeAsString the one is a number and the other a string,
# so `price * size` works and `price + fee` joins text when a price gets long. Sizes with eight places get there at a million.
#
# Needs Node.js.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
npm install --silent --no-audit --no-fund --prefix "$work" json-bigint@1.0.0
cd "$work"
node - <<'EOF'
const assert = require('node:assert')
const bigint = require('json-bigint')
console.log('json-bigint', require('json-bigint/package.json').version)

function read(number, settings) {
  try {
    const price = bigint(settings).parse(`{"price":${number}}`).price
    return `${typeof price} ${price}`
  } catch (error) {
    return `${error.name}: ${error.message}`
  }
}

const seen = [{}, { useNativeBigInt: true }, { storeAsString: true }].map((settings) =>
  ['65000.5', '1234567890.12345'].map((number) => read(number, settings)))
console.log(seen)
assert.deepStrictEqual(seen, [
  ['number 65000.5', 'object 1234567890.12345'],
  ['number 65000.5', 'SyntaxError: Cannot convert 1234567890.12345 to a BigInt'],
  ['number 65000.5', 'string 1234567890.12345'],
])
EOF
