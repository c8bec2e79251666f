// Which chunk sizes there are. A pure table, made at start and never changed.

/// Chunk sizes in ascending order; class ids start at 1, as in memcached. Class 0 is nobody's.
struct SlabClassTable: Sendable {
    /// Bytes of a page: small, so that memory moves between classes cheaply.
    static let pageBytes = 64 << 10
    /// The largest chunk. A longer item is a chain of such chunks, its last part in the class that fits best.
    static let largestChunk = pageBytes / 4
    /// Class 1 has room for what it holds in memcached too: tests and scripts look for small items there.
    static let smallestChunk = 32
    /// Ids have to fit a byte, and 255 marks index pages.
    static let classesMax = 250

    /// sizes[i] is the chunk size of class i; sizes[0] is 0.
    let sizes: [Int]
    /// For a size in units of 8 bytes: its class.
    let classOfUnits: [UInt8]

    /// - Parameters:
    ///   - factor, minimumSpace: `-f` and `-n` if the user gave them; with neither, Larder's own table is
    /// used.
    ///   - explicit: `-o slab_sizes`.
    ///   - grain: every size is a multiple of it (the arena's unit).
    init(factor: Double? = nil, minimumSpace: Int? = nil, explicit: [Int]? = nil, grain: Int = 8) {
        var list: [Int]
        if let explicit, !explicit.isEmpty {
            list = explicit
        } else if factor != nil || minimumSpace != nil {
            list = Self.geometric(factor: factor ?? 1.25, from: (minimumSpace ?? 48) + Item.headerBytes)
        } else {
            list = Self.fitted()
        }
        list = list.map { min(($0 + grain - 1) / grain * grain, Self.largestChunk) }.filter { $0 > 0 }
        list = Array(Set(list + [Self.largestChunk])).sorted()
        if list.count > Self.classesMax { list = Array(list[(list.count - Self.classesMax)...]) }
        sizes = [0] + list
        var map = [UInt8](repeating: 0, count: Self.largestChunk / 8 + 1)
        var id = 1
        for units in map.indices {
            while sizes[id] < units * 8 { id += 1 }
            map[units] = UInt8(id)
        }
        classOfUnits = map
    }

    /// Larder's own table: every 8 bytes up to 160, then steps of about 7 %, then (from 1 KiB on) every size
    /// of which a whole number fills a page: steps of 1.6 to 25 %. A finer table wastes less in each chunk, a
    /// coarser one less in pages that are partly free; at 64 MiB of mixed sizes these are about even.
    private static func fitted() -> [Int] {
        var list = Array(stride(from: smallestChunk, through: 160, by: 8))
        while true {
            let perPage = Int(Double(pageBytes) / (Double(list.last!) * 1.07))
            if perPage <= 64 { break }
            list.append(pageBytes / perPage / 8 * 8)
        }
        for perPage in stride(from: 64, through: 4, by: -1) { list.append(pageBytes / perPage / 8 * 8) }
        return list
    }

    private static func geometric(factor: Double, from first: Int) -> [Int] {
        var list = [Int]()
        var size = Double(max(first, smallestChunk))
        while Int(size) < largestChunk, list.count < classesMax {
            let rounded = (Int(size) + 7) / 8 * 8
            list.append(rounded)
            size = max(Double(rounded) * factor, Double(rounded + 8))
        }
        return list
    }
}
