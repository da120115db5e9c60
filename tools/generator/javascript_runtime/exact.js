// Numbers of 64 bits, exactly: the stream and the arithmetic of the generated parsers.
//
// A number is an ordinary one as long as JavaScript has it exactly (up to 2^53 - 1), and a BigInt
// above. Compare with < <= > >= and ==, which take both kinds; not with ===. Calculate with the
// functions below: JavaScript's own operators throw a TypeError where the kinds meet, and so never
// round in silence.
(function (root, factory) {
  if (typeof exports === "object" && typeof module === "object") {
    module.exports = factory(require("kaitai-struct/KaitaiStream"));
  } else {
    root.ExactStream = factory(root.KaitaiStream);
  }
})(typeof self !== "undefined" ? self : this, function (KaitaiStream) {
  "use strict";

  function tidy(big) {
    const small = Number(big);
    return Number.isSafeInteger(small) ? small : big;
  }

  // What JavaScript's own operator makes of two numbers, where that is exact; else what BigInt does.
  function operation(quick, slow) {
    return function (a, b) {
      if (typeof a === "number" && typeof b === "number") {
        const made = quick(a, b);
        if (Number.isSafeInteger(made)) return made;
      }
      return tidy(slow(BigInt(a), BigInt(b)));
    };
  }

  // As Kaitai Struct and Python divide: towards minus infinity.
  function floorDivision(a, b) {
    const quotient = a / b;
    return quotient * b !== a && a < 0n !== b < 0n ? quotient - 1n : quotient;
  }

  // JavaScript's own bit operations know 32 bits, with a sign.
  const isSmall = (a) => (a | 0) === a && a >= 0;
  const bitwise = (quick, slow) =>
    operation((a, b) => (isSmall(a) && isSmall(b) ? quick(a, b) : NaN), slow);

  class ExactStream extends KaitaiStream {
    readU8be() {
      const high = this.readU4be();
      return ExactStream.join(high, this.readU4be());
    }

    readU8le() {
      const low = this.readU4le();
      return ExactStream.join(this.readU4le(), low);
    }

    readS8be() {
      return tidy(BigInt.asIntN(64, BigInt(this.readU8be())));
    }

    readS8le() {
      return tidy(BigInt.asIntN(64, BigInt(this.readU8le())));
    }

    // Positions and lengths that are BigInts lie behind the end of every buffer.
    seek(position) {
      super.seek(Number(position));
    }

    readBytes(length) {
      return super.readBytes(Number(length));
    }

    static join(high, low) {
      return high < 0x200000 ? high * 0x100000000 + low : (BigInt(high) << 32n) + BigInt(low);
    }
  }

  ExactStream.add = operation((a, b) => a + b, (a, b) => a + b);
  ExactStream.sub = operation((a, b) => a - b, (a, b) => a - b);
  ExactStream.mul = operation((a, b) => a * b, (a, b) => a * b);
  ExactStream.div = operation((a, b) => Math.floor(a / b), floorDivision);
  ExactStream.mod = operation(
    (a, b) => ((a % b) + b) % b,
    (a, b) => ((a % b) + b) % b
  );
  ExactStream.shl = operation((a, b) => (b < 1024 ? a * 2 ** b : NaN), (a, b) => a << b);
  ExactStream.shr = operation((a, b) => (b < 1024 ? Math.floor(a / 2 ** b) : NaN), (a, b) => a >> b);
  ExactStream.and = bitwise((a, b) => a & b, (a, b) => a & b);
  ExactStream.or = bitwise((a, b) => a | b, (a, b) => a | b);
  ExactStream.xor = bitwise((a, b) => a ^ b, (a, b) => a ^ b);

  return ExactStream;
});
