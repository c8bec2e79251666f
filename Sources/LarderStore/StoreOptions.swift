// What the store can be told at its start; the server's settings are turned into this.

/// What a store is told at start.
public struct StoreOptions: Sendable {
    /// Bytes for everything that grows with items: chunks, index, ghosts (`-m`).
    public var memoryLimit = 64 << 20
    /// false: a full store refuses sets instead of evicting (`-M`).
    public var evicts = true
    /// false: items carry no visible cas (`-C`); `cas` reads as 0.
    public var usesCAS = true
    /// Largest value + key + header a client may store (`-I`), bytes.
    public var itemSizeMax = 1 << 20
    /// Steps of the class table as the user gave them (`-f`, `-n`, `-o slab_sizes`); nil: Larder's own table.
    public var growthFactor: Double? = nil
    public var minimumSpace: Int? = nil
    public var slabSizes: [Int]? = nil
    /// Threads that will call the store with a `StoreClient` of their own, 0 ..< clients. One more is kept
    /// for housekeeping.
    public var clients = 4
    /// At most this many items; nil: only memory limits (`-o max_items`).
    public var maxItems: Int? = nil
    /// Page moves between classes (`slab_automove` 0, 1, 2).
    public var automove = 1
    /// Secret of the key hash; nil: drawn at start.
    public var hashSecret: UInt64? = nil
    public init() {}
}
