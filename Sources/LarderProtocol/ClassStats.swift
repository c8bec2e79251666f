// The rows of `stats items` and `stats slabs`: one class each, in memcached's order. Of memcached's four
// lists Larder has two: items on probation stand for "hot", all others for "cold", whose tail is what is
// evicted next.
import LarderStore

/// One class, and the switches that decide which of its lines are there.
public struct ClassFacts: Sendable {
    public let figures: StoreSnapshot.SlabClassFigures
    public let options: StatsOptions
}

/// The rows of `stats items` and `stats slabs`.
public enum ClassStats {
    public typealias Row = StatRow<ClassFacts>

    private static func counter(
        _ name: String, _ counter: ClassCounter,
        if isShown: @escaping @Sendable (ClassFacts) -> Bool = { _ in true }
    ) -> Row {
        Row(name, if: isShown) { .number($0.figures.count(counter)) }
    }
    private static func never(
        _ name: String, _ kind: Row.Kind = .counter,
        if isShown: @escaping @Sendable (ClassFacts) -> Bool = { _ in true }
    ) -> Row {
        Row(name, kind, if: isShown) { _ in .number(UInt64(0)) }
    }
    private static let segmented: @Sendable (ClassFacts) -> Bool = { $0.options.maintainer }

    /// `items:<class>:<name>`, for classes that hold items.
    public static let itemRows: [Row] = [
        Row("number", .gauge) { .number($0.figures.items) },
        Row("number_hot", .gauge, if: segmented) { .number($0.figures.itemsOnProbation) },
        never("number_warm", .gauge, if: segmented),
        Row("number_cold", .gauge, if: segmented) { .number($0.figures.items - $0.figures.itemsOnProbation) },
        never("number_temp", .gauge, if: { $0.options.maintainer && $0.options.temporaryItems }),
        never("age_hot", .gauge, if: segmented),
        never("age_warm", .gauge, if: segmented),
        Row("age", .gauge) { .number(UInt64($0.figures.ageSeconds)) },
        Row("mem_requested", .gauge) { .number(UInt64(max(0, $0.figures.bytesRequested))) },
        counter("evicted", .evicted),
        counter("evicted_nonzero", .evictedNonzero),
        // What goes next is as old as what went last.
        Row("evicted_time", .gauge) {
            .number($0.figures.count(.evicted) == 0 ? UInt64(0) : UInt64($0.figures.ageSeconds))
        },
        counter("outofmemory", .outOfMemory),
        never("tailrepairs"),
        counter("reclaimed", .reclaimed),
        counter("expired_unfetched", .expiredUnfetched),
        counter("evicted_unfetched", .evictedUnfetched),
        counter("evicted_active", .evictedActive, if: segmented),
        counter("crawler_reclaimed", .crawlerReclaimed),
        counter("crawler_items_checked", .crawlerItemsChecked),
        never("lrutail_reflocked"),
        counter("moves_to_cold", .promoted, if: segmented),
        never("moves_to_warm", if: segmented),
        never("moves_within_lru", if: segmented),
        counter("direct_reclaims", .evicted, if: segmented),
        never("hits_to_hot"),
        never("hits_to_warm"),
        counter("hits_to_cold", .getHits),
        never("hits_to_temp"),
    ]

    /// `<class>:<name>`, for classes that own pages.
    public static let slabRows: [Row] = [
        Row("chunk_size", .gauge) { .number($0.figures.chunkSize) },
        Row("chunks_per_page", .gauge) { .number($0.figures.chunksPerPage) },
        Row("total_pages", .gauge) { .number($0.figures.pages) },
        Row("total_chunks", .gauge) { .number($0.figures.usedChunks + $0.figures.freeChunks) },
        Row("used_chunks", .gauge) { .number($0.figures.usedChunks) },
        Row("free_chunks", .gauge) { .number($0.figures.freeChunks) },
        never("free_chunks_end", .gauge),
        counter("get_hits", .getHits),
        counter("cmd_set", .cmdSet),
        counter("delete_hits", .deleteHits),
        counter("incr_hits", .incrHits),
        counter("decr_hits", .decrHits),
        counter("cas_hits", .casHits),
        counter("cas_badval", .casBadval),
        counter("touch_hits", .touchHits),
    ]
}
