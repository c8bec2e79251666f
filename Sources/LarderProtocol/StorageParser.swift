// Storage lines and their values: set, add, replace, append, prepend, cas and ms. A line in its usual form is
// read in one pass; any other goes word by word, where memcached's order of complaints is kept.
import LarderStore

extension WorkerContext {
    /// Values up to this length are waited for in the connection's buffer.
    static let longestBufferedValue = 2048
    /// Of a longer one this much (or a quarter) must have arrived before the store is asked for memory.
    static let reservationThreshold = 4096

    /// `<verb> <key> <flags> <exptime> <bytes> [<cas unique>] [noreply]`, in the form clients send.
    @inline(__always)
    mutating func parseStorage(
        _ input: Span<UInt8>, _ turn: inout Turn, _ count: inout Int, verbLength: Int, _ mode: WriteMode,
        comparesCAS: Bool = false
    ) -> Bool {
        let start = turn.position
        let keyStart = start &+ verbLength
        let keyEnd = Bytes.wordStop(in: input, from: min(keyStart, input.count))
        guard keyEnd > keyStart, keyEnd &- keyStart <= Self.longestKey, keyEnd < input.count,
            input[keyEnd] == 0x20,
            let numbers = Bytes.threeNumbers(in: input, from: keyEnd &+ 1),
            numbers.first <= UInt64(UInt32.max), numbers.third < 1 << 31 &- 2
        else {
            return parseStorageWords(
                input, &turn, &count, verbLength: verbLength, mode, comparesCAS: comparesCAS)
        }
        var end = numbers.end
        var bits: Operation.Bits = []
        var unique: UInt64 = 0
        if comparesCAS {
            let digits = Bytes.digits(in: input, from: min(end &+ 1, input.count))
            unique = digits.value
            bits.insert(.withCAS)
            // Anything but a number behind one blank leaves no line end in sight, and goes word by word.
            end = byte(input, end) == 0x20 && digits.end > end &+ 1 ? digits.end : start
        }
        if byte(input, end) == 0x20, word32(input, end) == Verb.nor, word32(input, end &+ 4) == Verb.eply {
            bits.insert(.quiet)
            end &+= 8
        }
        guard byte(input, end) == 0x0D, byte(input, end &+ 1) == 0x0A else {
            return parseStorageWords(
                input, &turn, &count, verbLength: verbLength, mode, comparesCAS: comparesCAS)
        }
        var operation = Operation()
        operation.mode = mode
        operation.bits = bits
        operation.number = unique
        operation.clientFlags = UInt32(truncatingIfNeeded: numbers.first)
        operation.exptime = options.expiry(
            ofExptime: Int64(truncatingIfNeeded: numbers.second), now: turn.now)
        operation.keyStart = UInt32(truncatingIfNeeded: keyStart)
        operation.keyEnd = UInt32(truncatingIfNeeded: keyEnd)
        operation.valueLength = UInt32(truncatingIfNeeded: numbers.third)
        turn.requestsLeft &-= 1
        let line = Line(start: start, end: end, next: end &+ 2)
        return takeValue(of: operation, .store, line, input, &turn, &count)
    }

    /// The same line word by word: odd spacing, signs, faults.
    @inline(never)
    private mutating func parseStorageWords(
        _ input: Span<UInt8>, _ turn: inout Turn, _ count: inout Int, verbLength: Int, _ mode: WriteMode,
        comparesCAS: Bool
    ) -> Bool {
        guard let line = nextLine(input, &turn) else { return false }
        var words = Words(min(line.start + verbLength, line.end)..<line.end)
        guard let key = words.next(in: input), let flags = words.next(in: input),
            let exptime = words.next(in: input), let bytes = words.next(in: input),
            let length = Number.valueLength(input, bytes)
        else { return refuse(.badLine, line, &turn, &count) }
        let isQuiet = Self.isNoreply(input, bytes, words)
        var operation = Operation()
        operation.mode = mode
        operation.bits = isQuiet ? .quiet : []
        var unique: UInt64? = 0
        if comparesCAS {
            operation.bits.insert(.withCAS)
            unique = words.next(in: input).flatMap { Number.unsigned(input, $0) }
        }
        guard key.count <= Self.longestKey, let clientFlags = Number.clientFlags(input, flags),
            let seconds = Number.exptime(input, exptime), let unique
        else {
            return refuse(
                .badLine, line, isQuiet: isQuiet, swallow: Int(length) + 2, inputCount: input.count, &turn,
                &count)
        }
        operation.number = unique
        operation.clientFlags = clientFlags
        operation.exptime = options.expiry(ofExptime: seconds, now: turn.now)
        operation.keyStart = UInt32(truncatingIfNeeded: key.lowerBound)
        operation.keyEnd = UInt32(truncatingIfNeeded: key.upperBound)
        operation.valueLength = length
        return takeValue(of: operation, .store, line, input, &turn, &count)
    }

    /// `ms <key> <datalen> <flags>*`
    mutating func parseMetaSet(_ input: Span<UInt8>, _ turn: inout Turn, _ count: inout Int) -> Bool {
        guard let line = nextLine(input, &turn) else { return false }
        var words = Words(line.start + 3..<line.end)
        guard let key = words.next(in: input), let bytes = words.next(in: input) else {
            return refuse(.badLine, line, &turn, &count)
        }
        // A word that can't be a flag spoils the line as such: then nothing is known of a value.
        guard let length = Number.valueLength(input, bytes), MetaFlags.areLetters(input, words) else {
            return refuse(.badLine, line, &turn, &count)
        }
        guard key.count <= Self.longestKey else {
            return refuse(.badLine, line, swallow: Int(length) + 2, inputCount: input.count, &turn, &count)
        }
        var operation = Operation()
        operation.keyStart = UInt32(truncatingIfNeeded: key.lowerBound)
        operation.keyEnd = UInt32(truncatingIfNeeded: key.upperBound)
        operation.flagsStart = UInt32(truncatingIfNeeded: bytes.upperBound)
        operation.flagsEnd = UInt32(truncatingIfNeeded: line.end)
        operation.valueLength = length
        return takeValue(of: operation, .metaSet, line, input, &turn, &count)
    }

    /// Completes a storage operation by its value, if that is in the input. If not, a short value is waited
    /// for, and a long one (or one that will be refused) begins to be received. False when the round ends
    /// here.
    @inline(__always)
    private mutating func takeValue(
        of operation: Operation, _ kind: Operation.Kind, _ line: Line, _ input: Span<UInt8>,
        _ turn: inout Turn,
        _ count: inout Int
    ) -> Bool {
        var operation = operation
        let length = Int(operation.valueLength)
        operation.valueStart = UInt32(truncatingIfNeeded: line.next)
        let here = input.count &- line.next
        guard here >= length &+ 2 else {
            return awaitValue(of: operation, kind, line, here, input, &turn, &count)
        }
        operation.kind = kind
        let valueEnd = line.next &+ length
        if input[valueEnd] != 0x0D || input[valueEnd &+ 1] != 0x0A { operation.bits.insert(.badChunk) }
        operation.place = store.placeAndPrefetch(input.extracting(operation.key))
        operation.end = UInt32(truncatingIfNeeded: valueEnd &+ 2)
        turn.position = valueEnd &+ 2
        batch[count] = operation
        count &+= 1
        return true
    }

    @inline(never)
    private mutating func awaitValue(
        of operation: Operation, _ kind: Operation.Kind, _ line: Line, _ here: Int, _ input: Span<UInt8>,
        _ turn: inout Turn, _ count: inout Int
    ) -> Bool {
        let length = Int(operation.valueLength)
        let enough = min(Self.reservationThreshold, length / 4)
        if store.fits(keyLength: operation.key.count, valueLength: length),
            length <= Self.longestBufferedValue || here < enough
        {
            turn.position = line.start
            turn.requestsLeft += 1
            turn.stop = .needInput
            return false
        }
        var operation = operation
        operation.kind = kind == .metaSet ? .beginMetaSet : .beginStore
        operation.place = store.place(input.extracting(operation.key))
        operation.end = UInt32(truncatingIfNeeded: line.next)
        turn.position = line.next
        turn.stop = .alone
        batch[count] = operation
        count += 1
        return false
    }
}
