// Splitting a command line into words, without storing them.
import LarderStore

/// The words of a line, one after the other. Only blanks separate words; a tab is part of one.
struct Words {
    private var position: Int
    private let end: Int

    /// The words in `range` of whatever bytes `next` is given.
    @inline(__always)
    init(_ range: Range<Int>) {
        position = range.lowerBound
        end = range.upperBound
    }

    /// The next word's range; nil at the end of the line.
    @inline(__always)
    mutating func next(in bytes: Span<UInt8>) -> Range<Int>? {
        while position < end, bytes[position] == 0x20 { position &+= 1 }
        guard position < end else { return nil }
        let start = position
        position = Bytes.wordEnd(in: bytes, from: start, to: end)
        return start..<position
    }

    /// How many words are left.
    func count(in bytes: Span<UInt8>) -> Int {
        var rest = self
        var n = 0
        while rest.next(in: bytes) != nil { n += 1 }
        return n
    }

    /// The last word that is left, if there is one.
    func last(in bytes: Span<UInt8>) -> Range<Int>? {
        var rest = self
        var word: Range<Int>?
        while let next = rest.next(in: bytes) { word = next }
        return word
    }
}

extension Span<UInt8> {
    /// Whether the bytes of `range` spell `text`.
    func spells(_ range: Range<Int>, _ text: StaticString) -> Bool {
        Bytes.equal(extracting(range), text)
    }
}
