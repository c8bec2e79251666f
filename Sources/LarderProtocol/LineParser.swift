// The other classic commands with a key: delete, touch, incr, decr. Whole lines, word by word.
import LarderStore

extension WorkerContext {
    /// `delete <key> [noreply]`; whatever else stands there is passed over.
    mutating func parseDelete(_ input: Span<UInt8>, _ turn: inout Turn, _ count: inout Int) -> Bool {
        guard let line = nextLine(input, &turn) else { return false }
        var words = Words(line.start + 7..<line.end)
        guard let key = words.next(in: input) else { return refuse(.badLine, line, &turn, &count) }
        let isQuiet = Self.isNoreply(input, key, words)
        guard key.count <= Self.longestKey else {
            return refuse(.badLine, line, isQuiet: isQuiet, &turn, &count)
        }
        return push(.delete, key, isQuiet ? .quiet : [], line, input, &count)
    }

    /// `touch <key> <exptime> [noreply]`
    mutating func parseTouch(_ input: Span<UInt8>, _ turn: inout Turn, _ count: inout Int) -> Bool {
        guard let line = nextLine(input, &turn) else { return false }
        var words = Words(line.start + 6..<line.end)
        guard let key = words.next(in: input), let exptime = words.next(in: input) else {
            return refuse(.badLine, line, &turn, &count)
        }
        let isQuiet = Self.isNoreply(input, exptime, words)
        guard key.count <= Self.longestKey else {
            return refuse(.badLine, line, isQuiet: isQuiet, &turn, &count)
        }
        guard let seconds = Number.signed(input, exptime) else {
            return refuse(.badExptime, line, isQuiet: isQuiet, &turn, &count)
        }
        let moment = options.expiry(ofExptime: seconds, now: turn.now)
        return push(.touch, key, isQuiet ? .quiet : [], exptime: moment, line, input, &count)
    }

    /// `incr|decr <key> <delta> [noreply]`
    mutating func parseArithmetic(
        _ input: Span<UInt8>, _ turn: inout Turn, _ count: inout Int, _ bits: Operation.Bits
    ) -> Bool {
        guard let line = nextLine(input, &turn) else { return false }
        var words = Words(line.start + 5..<line.end)
        guard let key = words.next(in: input), let word = words.next(in: input) else {
            return refuse(.badLine, line, &turn, &count)
        }
        let isQuiet = Self.isNoreply(input, word, words)
        guard key.count <= Self.longestKey else {
            return refuse(.badLine, line, isQuiet: isQuiet, &turn, &count)
        }
        guard let delta = Number.unsigned(input, word) else {
            return refuse(.badDelta, line, isQuiet: isQuiet, &turn, &count)
        }
        let allBits = isQuiet ? bits.union(.quiet) : bits
        return push(.arithmetic, key, allBits, number: delta, line, input, &count)
    }

    /// Whether the last word of the line, of which `word` is one, is `noreply`.
    @inline(__always)
    static func isNoreply(_ input: Span<UInt8>, _ word: Range<Int>, _ rest: Words) -> Bool {
        let last = rest.last(in: input) ?? word
        return last.count == 7 && input.spells(last, "noreply")
    }

    @inline(__always)
    private mutating func push(
        _ kind: Operation.Kind, _ key: Range<Int>, _ bits: Operation.Bits, exptime: Moment = .never,
        number: UInt64 = 0, _ line: Line, _ input: Span<UInt8>, _ count: inout Int
    ) -> Bool {
        var operation = Operation()
        operation.kind = kind
        operation.bits = bits
        operation.exptime = exptime
        operation.number = number
        operation.keyStart = UInt32(truncatingIfNeeded: key.lowerBound)
        operation.keyEnd = UInt32(truncatingIfNeeded: key.upperBound)
        operation.end = UInt32(truncatingIfNeeded: line.next)
        operation.place = store.placeAndPrefetch(input.extracting(key))
        batch[count] = operation
        count &+= 1
        return true
    }
}
