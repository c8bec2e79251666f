// The flags of a meta command: single letters with or without a token, checked and read once before
// execution.
import LarderStore

/// What was wrong with a meta command's flags.
enum MetaFault: UInt8 {
    case none, badLine, tooMany, duplicate, unknown, badToken, badInitial, badDelta, badKey

    var text: StaticString {
        switch self {
        case .none, .badLine: "CLIENT_ERROR bad command line format\r\n"
        case .tooMany: "CLIENT_ERROR options flags are too long\r\n"
        case .duplicate: "CLIENT_ERROR duplicate flag\r\n"
        case .unknown: "CLIENT_ERROR invalid flag\r\n"
        case .badToken: "CLIENT_ERROR bad token in command line format\r\n"
        case .badInitial: "CLIENT_ERROR invalid numeric initial value\r\n"
        case .badDelta: "CLIENT_ERROR invalid numeric delta value\r\n"
        case .badKey: "CLIENT_ERROR error decoding key\r\n"
        }
    }
}

/// Letters of the flags, as bytes.
enum Flag {
    static let base64: UInt8 = 0x62           // b
    static let cas: UInt8 = 0x63              // c
    static let clientFlags: UInt8 = 0x66      // f
    static let hit: UInt8 = 0x68              // h
    static let key: UInt8 = 0x6B              // k
    static let lastAccess: UInt8 = 0x6C       // l
    static let quiet: UInt8 = 0x71            // q
    static let size: UInt8 = 0x73             // s
    static let ttl: UInt8 = 0x74              // t
    static let noBump: UInt8 = 0x75           // u
    static let value: UInt8 = 0x76            // v
    static let dropValue: UInt8 = 0x78        // x
    static let compareCAS: UInt8 = 0x43       // C
    static let delta: UInt8 = 0x44            // D
    static let newCAS: UInt8 = 0x45           // E
    static let setClientFlags: UInt8 = 0x46   // F
    static let invalidate: UInt8 = 0x49       // I
    static let initial: UInt8 = 0x4A          // J
    static let mode: UInt8 = 0x4D             // M
    static let vivify: UInt8 = 0x4E           // N
    static let opaque: UInt8 = 0x4F           // O
    static let proxyL: UInt8 = 0x4C           // L, accepted and ignored
    static let proxyP: UInt8 = 0x50           // P, accepted and ignored
    static let recache: UInt8 = 0x52          // R
    static let setTTL: UInt8 = 0x54           // T
}

struct MetaFlags {
    /// Words of a meta command, its name and key included.
    static let mostWords = 20
    static let longestOpaque = 32

    /// A bit for each letter that was given, counted from `A`.
    private var seen: UInt64 = 0
    var fault = MetaFault.none
    /// Complained of later than all else.
    private(set) var hasLongOpaque = false
    var mode: UInt8 = 0
    var clientFlags: UInt32 = 0
    var exptime = Moment.never
    var vivifyExptime = Moment.never
    var recacheTime = Moment.never
    var cas: UInt64 = 0
    var casToSet: UInt64 = 0
    var delta: UInt64 = 1
    var initial: UInt64 = 0

    @inline(__always)
    func has(_ flag: UInt8) -> Bool { seen & (1 << UInt64(flag &- 65)) != 0 }

    var compareCAS: UInt64? { has(Flag.compareCAS) ? cas : nil }
    var newCAS: UInt64? { has(Flag.newCAS) ? casToSet : nil }

    /// Reads the flags of `operation`, before which the line has `leadingWords`. In place, into what an
    /// earlier command left: a copy of so many small fields would wait for each of their stores.
    mutating func read(
        _ input: Span<UInt8>, _ operation: Operation, leadingWords: Int, now: Moment,
        _ options: borrowing SessionOptions
    ) {
        reset()
        exptime = options.defaultExpiry(now)
        let range = operation.flags
        var words = Words(range)
        var count = leadingWords
        while let word = words.next(in: input) {
            count &+= 1
            let letter = input[word.lowerBound]
            let index = letter &- 65
            let bit: UInt64 = index < 64 ? 1 << UInt64(index) : 0
            guard bit & Self.known != 0, seen & bit == 0, count <= Self.mostWords else {
                fault = Self.fatalFault(input, range, leadingWords, isDuplicate: seen & bit != 0)
                return
            }
            seen |= bit
            if bit & Self.withToken != 0 {
                readToken(letter, input, word, now: now, options)
            } else if letter == Flag.base64, !Base64.isWhole(input.extracting(operation.key)) {
                fault = .badKey
            }
        }
        if fault != .none, !Self.areLetters(input, Words(range)) { fault = .badLine }
    }

    @inline(__always)
    private mutating func reset() {
        seen = 0
        fault = .none
        hasLongOpaque = false
        mode = 0
        clientFlags = 0
        vivifyExptime = .never
        recacheTime = .never
        cas = 0
        casToSet = 0
        delta = 1
        initial = 0
    }

    /// Flags some meta command knows.
    private static let known: UInt64 = withToken
        | bit(Flag.base64) | bit(Flag.cas) | bit(Flag.clientFlags) | bit(Flag.hit) | bit(Flag.key)
        | bit(Flag.lastAccess) | bit(Flag.quiet) | bit(Flag.size) | bit(Flag.ttl) | bit(Flag.noBump)
        | bit(Flag.value) | bit(Flag.dropValue) | bit(Flag.invalidate) | bit(Flag.proxyL) | bit(Flag.proxyP)
    private static let withToken: UInt64 = bit(Flag.compareCAS) | bit(Flag.delta) | bit(Flag.newCAS)
        | bit(Flag.setClientFlags) | bit(Flag.initial) | bit(Flag.mode) | bit(Flag.vivify) | bit(Flag.opaque)
        | bit(Flag.recache) | bit(Flag.setTTL)

    /// The bit of a letter in `seen`.
    @inline(__always)
    private static func bit(_ flag: UInt8) -> UInt64 { 1 << UInt64(flag &- 65) }

    /// Complaints that end the reading, in memcached's order.
    @inline(never)
    private static func fatalFault(
        _ input: Span<UInt8>, _ range: Range<Int>, _ leadingWords: Int, isDuplicate: Bool
    ) -> MetaFault {
        let words = Words(range)
        if !areLetters(input, words) { return .badLine }
        if leadingWords + words.count(in: input) > mostWords { return .tooMany }
        return isDuplicate ? .duplicate : .unknown
    }

    /// Whether each word begins as a flag might: with a letter or digit (or what stands between the cases in
    /// ASCII).
    static func areLetters(_ input: Span<UInt8>, _ words: Words) -> Bool {
        var words = words
        while let word = words.next(in: input) {
            let first = input[word.lowerBound]
            guard (first > 64 && first < 123) || first &- 0x30 <= 9 else { return false }
        }
        return true
    }

    private mutating func readToken(
        _ letter: UInt8, _ input: Span<UInt8>, _ word: Range<Int>, now: Moment,
        _ options: borrowing SessionOptions
    ) {
        let token = word.lowerBound &+ 1..<word.upperBound
        switch letter {
        case Flag.opaque:
            if word.count > Self.longestOpaque { hasLongOpaque = true }
        case Flag.mode: mode = token.isEmpty ? 0x20 : input[token.lowerBound]
        case Flag.setTTL: exptime = options.expiry(ofExptime: seconds(input, token), now: now)
        case Flag.vivify: vivifyExptime = options.expiry(ofExptime: seconds(input, token), now: now)
        case Flag.recache: recacheTime = options.moment(ofExptime: seconds(input, token), now: now)
        case Flag.compareCAS: cas = number(input, token, .badToken)
        case Flag.newCAS: casToSet = number(input, token, .badToken)
        case Flag.delta: delta = number(input, token, .badDelta)
        case Flag.initial: initial = number(input, token, .badInitial)
        case Flag.setClientFlags:
            // memcached has no words of its own for this fault: an earlier one's are used.
            let value = token.count <= 11 ? Number.unsigned(input, token) : nil
            if let value, value <= UInt64(UInt32.max) {
                clientFlags = UInt32(truncatingIfNeeded: value)
            } else if fault == .none {
                fault = .badLine
            }
        default: break
        }
    }

    private mutating func number(
        _ input: Span<UInt8>, _ token: Range<Int>, _ complaint: MetaFault
    ) -> UInt64 {
        guard let value = Number.unsigned(input, token) else {
            fault = complaint
            return 0
        }
        return value
    }

    private mutating func seconds(_ input: Span<UInt8>, _ token: Range<Int>) -> Int64 {
        guard let seconds = Number.signed(input, token) else {
            fault = .badToken
            return 0
        }
        return seconds
    }
}

extension WorkerContext {
    /// `mg|md|ma|me <key> <flags>*`
    @inline(never)
    mutating func parseMeta(
        _ input: Span<UInt8>, _ turn: inout Turn, _ count: inout Int, _ kind: Operation.Kind
    ) -> Bool {
        guard let line = nextLine(input, &turn) else { return false }
        var words = Words(line.start &+ 3..<max(line.end, line.start &+ 3))
        guard let key = words.next(in: input) else { return refuse(.badLine, line, &turn, &count) }
        var operation = Operation()
        operation.kind = kind
        operation.keyStart = UInt32(truncatingIfNeeded: key.lowerBound)
        operation.keyEnd = UInt32(truncatingIfNeeded: key.upperBound)
        operation.flagsStart = UInt32(truncatingIfNeeded: key.upperBound)
        operation.flagsEnd = UInt32(truncatingIfNeeded: line.end)
        operation.end = UInt32(truncatingIfNeeded: line.next)
        // Should flag b be there, the key is decoded and hashed again: then this prefetch was in vain.
        if key.count <= Self.longestKey {
            operation.place = store.placeAndPrefetch(input.extracting(key))
        }
        batch[count] = operation
        count &+= 1
        return true
    }
}
