// The keys of get, gets, gat and gats: one operation each, found in a single pass over the line, of any
// length.
import LarderStore

extension WorkerContext {
    /// A get or gets line at `turn.position`.
    @inline(__always)
    mutating func parseGet(
        _ input: Span<UInt8>, _ turn: inout Turn, _ count: inout Int, verbLength: Int, _ bits: Operation.Bits
    ) -> Bool {
        let lineStart = turn.position
        turn.requestsLeft &-= 1
        // The usual request is one key; anything else goes key by key.
        let keyStart = min(lineStart &+ verbLength, input.count)
        let stop = Bytes.wordStop(in: input, from: keyStart)
        if stop > keyStart, stop &- keyStart <= Self.longestKey, stop &+ 1 < input.count,
            input[stop] == 0x0D, input[stop &+ 1] == 0x0A
        {
            setGet(at: count, keyStart..<stop, bits.union(.last), .never, end: stop &+ 2, input)
            count &+= 1
            turn.position = stop &+ 2
            return true
        }
        turn.run = GetRun()
        turn.run.isActive = true
        turn.run.bits = bits
        turn.position = lineStart &+ verbLength
        return parseKeys(input, &turn, &count, lineStart: lineStart)
    }

    /// A gat or gats line at `turn.position`. Longer than any other line it goes key by key, as a get's does,
    /// once its exptime is there.
    mutating func parseGetAndTouch(
        _ input: Span<UInt8>, _ turn: inout Turn, _ count: inout Int, verbLength: Int, _ bits: Operation.Bits
    ) -> Bool {
        let start = turn.position
        let line = nextLine(input, &turn)
        if line == nil, turn.stop != .close { return false }
        var words = Words(start + verbLength..<(line?.end ?? input.count))
        let exptime = words.next(in: input)
        let hasKey = words.next(in: input) != nil
        guard let exptime, hasKey, let seconds = Number.signed(input, exptime) else {
            guard let line else { return false }
            return refuse(exptime == nil || !hasKey ? .badLine : .badExptime, line, &turn, &count)
        }
        if line == nil { turn.requestsLeft &-= 1 }
        turn.run = GetRun()
        turn.run.isActive = true
        turn.run.bits = bits
        turn.run.exptime = options.expiry(ofExptime: seconds, now: turn.now)
        turn.position = exptime.upperBound
        return parseKeys(input, &turn, &count, lineStart: start)
    }

    /// Keys from `turn.position` on, until the line, the input or the batch ends. `lineStart` is where the
    /// line began, or -1 if that was in an earlier round. False when the round ends here.
    @inline(never)
    mutating func parseKeys(
        _ input: Span<UInt8>, _ turn: inout Turn, _ count: inout Int, lineStart: Int
    ) -> Bool {
        let first = count
        var position = turn.position
        while true {
            while position < input.count, input[position] == 0x20 { position &+= 1 }
            let stop = Self.keyStop(input, from: position)
            guard stop < input.count else {
                return cutKeys(input, &turn, &count, lineStart: lineStart, first: first, keyStart: position)
            }
            if stop == position { return endKeys(input, &turn, &count, first: first, lineEnd: stop) }
            guard count < Self.batchSize else {
                turn.position = position
                turn.stop = .batchFull
                return false
            }
            guard stop &- position <= Self.longestKey else {
                return refuseKeys(input, &turn, &count, at: stop)
            }
            let bits = turn.run.hasBegun ? turn.run.bits.union(.continues) : turn.run.bits
            turn.run.hasBegun = true
            let key = position..<stop
            if input[stop] == 0x20 {
                setGet(at: count, key, bits, turn.run.exptime, end: stop, input)
                count &+= 1
                position = stop &+ 1
                continue
            }
            let next = input[stop] == 0x0D ? stop &+ 2 : stop &+ 1
            setGet(at: count, key, bits.union(.last), turn.run.exptime, end: next, input)
            count &+= 1
            turn.run.isActive = false
            turn.position = next
            return true
        }
    }

    /// One key of a get. Only what it needs is set: the batch's other fields keep what an earlier operation
    /// left.
    @inline(__always)
    private mutating func setGet(
        at i: Int, _ key: Range<Int>, _ bits: Operation.Bits, _ exptime: Moment, end: Int,
        _ input: Span<UInt8>
    ) {
        let place = store.placeAndPrefetch(input.extracting(key))
        batch[i].kind = .get
        batch[i].bits = bits
        batch[i].exptime = exptime
        batch[i].keyStart = UInt32(truncatingIfNeeded: key.lowerBound)
        batch[i].keyEnd = UInt32(truncatingIfNeeded: key.upperBound)
        batch[i].place = place
        batch[i].end = UInt32(truncatingIfNeeded: end)
    }

    /// Where the key at `start` ends: at a blank, or at the `\n` or `\r\n` of its line; the input's count if
    /// the end isn't in sight. Other control bytes, and a CR within the line, are part of a key.
    @inline(__always)
    static func keyStop(_ input: Span<UInt8>, from start: Int) -> Int {
        var stop = Bytes.wordStop(in: input, from: start)
        while stop < input.count {
            let byte = input[stop]
            if byte == 0x20 || byte == 0x0A { return stop }
            if byte == 0x0D {
                guard stop &+ 1 < input.count else { return input.count }
                if input[stop &+ 1] == 0x0A { return stop }
            }
            stop = Bytes.wordStop(in: input, from: stop &+ 1)
        }
        return stop
    }

    /// The line ends at `lineEnd` after blanks, or has no key at all.
    private mutating func endKeys(
        _ input: Span<UInt8>, _ turn: inout Turn, _ count: inout Int, first: Int, lineEnd: Int
    ) -> Bool {
        let next = input[lineEnd] == 0x0D ? lineEnd + 2 : lineEnd + 1
        if count > first {
            batch[count - 1].bits.insert(.last)
            batch[count - 1].end = UInt32(truncatingIfNeeded: next)
        } else {
            guard count < Self.batchSize else {
                turn.position = lineEnd
                turn.stop = .batchFull
                return false
            }
            var operation = Operation()
            operation.kind = turn.run.hasBegun ? .endOfGet : .refusal
            operation.bits = turn.run.bits
            if turn.run.hasBegun { operation.bits.insert(.continues) }
            operation.exptime = turn.run.exptime
            operation.end = UInt32(truncatingIfNeeded: next)
            batch[count] = operation
            count += 1
        }
        turn.run.isActive = false
        turn.position = next
        return true
    }

    /// The input ends within the line. A line of ordinary length waits for its rest; the keys of a longer one
    /// are served as they come, so that a multiget has no limit and yet needs no memory.
    @inline(never)
    private mutating func cutKeys(
        _ input: Span<UInt8>, _ turn: inout Turn, _ count: inout Int, lineStart: Int, first: Int,
        keyStart: Int
    ) -> Bool {
        if lineStart >= 0, input.count - lineStart <= Self.longestLine {
            count = first
            turn.position = lineStart
            turn.requestsLeft += 1
            turn.run.isActive = false
            turn.stop = .needInput
            return false
        }
        // Two bytes more than a key: it may be followed by `\r`, whose `\n` is still to come.
        if input.count - keyStart > Self.longestKey + 1, count < Self.batchSize {
            return refuseKeys(input, &turn, &count, at: keyStart)
        }
        turn.position = keyStart
        turn.stop = count < Self.batchSize ? .needInput : .batchFull
        return false
    }

    /// A key is too long: the request is refused, and the rest of its line from `position` on passed over.
    @inline(never)
    private mutating func refuseKeys(
        _ input: Span<UInt8>, _ turn: inout Turn, _ count: inout Int, at position: Int
    ) -> Bool {
        var operation = Operation()
        operation.kind = .refusedGet
        operation.bits = turn.run.bits
        operation.exptime = turn.run.exptime
        if turn.run.hasBegun { operation.bits.insert(.continues) }
        let newline = Bytes.newline(in: input, from: position)
        turn.position = newline.map { $0 + 1 } ?? input.count
        operation.number = newline == nil ? 1 : 0
        operation.end = UInt32(truncatingIfNeeded: turn.position)
        batch[count] = operation
        count += 1
        turn.run.isActive = false
        if newline != nil { return true }
        turn.stop = .alone
        return false
    }
}
