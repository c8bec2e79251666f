// `/metrics`: names, labels and values against the tables of `stats`, and durations as counts.
@testable import LarderStore
import Testing

@testable import LarderProtocol

@Suite struct MetricsTests {
    private static func facts() -> StatsFacts {
        var store = StoreSnapshot()
        store.totals = [.getHits: 7, .cmdSet: 20, .casHits: 2, .casBadval: 1]
        store.counters = [.getMisses: 3, .casMisses: 4]
        var one = StoreSnapshot.SlabClassFigures()
        (one.id, one.items, one.pages, one.chunkSize) = (5, 9, 2, 96)
        one.counters = [.cmdSet: 12, .casHits: 2, .casBadval: 1, .evicted: 6]
        store.classes = [one]
        var server = ServerFigures()
        server.userMicroseconds = 1_500_000
        server.version = "1.6\"45"
        server.listenDisabledMicroseconds = 2_000_001
        server.latency.counts[0] = 2
        server.latency.counts[2] = 1
        server.latency.counts[LatencyFigures.bucketCount - 1] = 1
        server.latency.nanoseconds = 1_000
        server.connectionStates = [("conn_read", 3)]
        return StatsFacts(
            store: store, server: server, options: StatsOptions(), crawlerEnabled: true,
            crawlerRunning: false, crawlsStarted: 0)
    }

    private static func lines(crawler: String = "yes") -> [String] {
        let settings = [("maxconns", "77"), ("lru_crawler", crawler), ("lru_crawler_sleep", "100")]
        let admin = AdminState(options: SessionOptions())
        let text = Metrics.render(facts(), settings: settings, admin: admin)
        return String(decoding: text, as: UTF8.self).split(separator: "\n").map(String.init)
    }

    @Test func valuesAreThoseOfStats() {
        let lines = Set(Self.lines())
        for line in [
            "memcached_up 1", "memcached_max_connections 77", "memcached_version{version=\"1.6\\\"45\"} 1",
            "memcached_commands_total{command=\"get\",status=\"hit\"} 7",
            "memcached_commands_total{command=\"get\",status=\"miss\"} 3",
            "memcached_commands_total{command=\"cas\",status=\"badval\"} 1",
            "memcached_process_user_cpu_seconds_total 1.500000", "process_cpu_seconds_total 1.5",
            "larder_accept_paused_seconds_total 2.000001",
            "memcached_slab_items_evicted_total{slab=\"5\"} 6",
            "memcached_slab_chunk_size_bytes{slab=\"5\"} 96",
            "larder_connections{state=\"conn_read\"} 3",
        ] {
            #expect(lines.contains(line), "\(line)")
        }
    }

    /// `stats` counts cas among the sets; here each stands for itself.
    @Test func setsAreCountedWithoutCas() {
        let lines = Self.lines()
        #expect(lines.contains("memcached_commands_total{command=\"set\",status=\"hit\"} 13"))
        let one = "memcached_slab_commands_total{slab=\"5\",command=\"set\",status=\"hit\"} 9"
        #expect(lines.contains(one))
    }

    /// A name that no table has would silently be missing.
    @Test func everyRowNamedExists() {
        let stats = Set(GeneralStats.rows.map(\.name))
        let larder = Set(LarderStats.rows.map(\.name))
        let items = Set(ClassStats.itemRows.map(\.name))
        let slabs = Set(ClassStats.slabRows.map(\.name))
        for family in MetricTable.general {
            for line in family.lines {
                switch line.source {
                case .stat(let name), .seconds(let name): #expect(stats.contains(name), "\(name)")
                case .difference(let name, let others): #expect(stats.isSuperset(of: [name] + others))
                case .sum(let names): #expect(stats.isSuperset(of: names))
                case .larder(let name): #expect(larder.contains(name), "\(name)")
                case .setting, .one: break
                }
            }
        }
        for family in MetricTable.classes {
            for line in family.lines {
                switch line.source {
                case .item(let name): #expect(items.contains(name), "\(name)")
                case .slab(let name): #expect(slabs.contains(name), "\(name)")
                case .slabDifference(let name, let others): #expect(slabs.isSuperset(of: [name] + others))
                }
            }
        }
    }

    @Test func eachFamilyHasOneHeadAndEveryLineAFamily() {
        var heads: [String] = []
        var samples: Set<String> = []
        for line in Self.lines() {
            #expect(samples.insert(line.split(separator: " ").dropLast().joined(separator: " ")).inserted)
            if line.hasPrefix("# TYPE ") {
                heads.append(String(line.split(separator: " ")[2]))
            } else if !line.hasPrefix("#") {
                let family = heads.last ?? ""
                #expect(line.hasPrefix(family) && line[family.endIndex...].first.map { "{ _".contains($0) }!)
            }
        }
        #expect(heads.count > 80)
        #expect(Set(heads).count == heads.count)
    }

    /// As the exporter does: nothing of the search for expired items where there is none.
    @Test func whatIsOffIsLeftOut() {
        #expect(Self.lines().contains("memcached_lru_crawler_sleep 100"))
        #expect(!Self.lines(crawler: "no").contains { $0.contains("memcached_lru_crawler_sleep") })
        #expect(!Self.lines().contains { $0.contains("larder_idle_kicks_total") })
    }

    @Test func theHistogramAddsUp() {
        let lines = Set(Self.lines())
        let name = "larder_command_duration_seconds"
        for line in [
            "\(name)_bucket{le=\"2.56e-07\"} 2", "\(name)_bucket{le=\"5.12e-07\"} 3",
            "\(name)_bucket{le=\"1.073741824\"} 3", "\(name)_bucket{le=\"+Inf\"} 4",
            "\(name)_sum 1e-06", "\(name)_count 4",
        ] {
            #expect(lines.contains(line), "\(line)")
        }
    }
}

@Suite struct LatencyTests {
    @Test func aDurationIsCountedUnderTheFirstBoundNotBelowIt() {
        #expect(LatencyFigures.bounds.count + 1 == LatencyFigures.bucketCount)
        #expect(LatencyFigures.bucket(of: 0) == 0)
        for (index, bound) in LatencyFigures.bounds.enumerated() {
            #expect(LatencyFigures.bucket(of: bound) == index)
            #expect(LatencyFigures.bucket(of: bound + 1) == index + 1)
        }
        #expect(LatencyFigures.bucket(of: .max) == LatencyFigures.bucketCount - 1)
    }

    @Test func quantilesAreWithinTheirCount() {
        var figures = LatencyFigures()
        #expect(figures.quantile(0.5) == nil)
        for n in 1...1000 { figures.counts[LatencyFigures.bucket(of: UInt64(n) * 1000)] += 1 }
        for (share, exact) in [(0.5, 500_000.0), (0.9, 900_000), (0.99, 990_000)] {
            let found = Double(figures.quantile(share) ?? 0)
            #expect(abs(found - exact) / exact < 0.15, "\(share): \(found)")
        }
        figures.counts[LatencyFigures.bucketCount - 1] = 1_000_000
        #expect(figures.quantile(1) == LatencyFigures.bounds.last)
    }

    @Test func differencesStartAgainAfterAReset() {
        var early = LatencyFigures()
        early.counts[3] = 10
        early.nanoseconds = 100
        var late = early
        late.counts[3] = 15
        late.nanoseconds = 160
        #expect(late.since(early).counts[3] == 5)
        #expect(late.since(early).nanoseconds == 60)
        var fresh = LatencyFigures()
        fresh.counts[1] = 2
        #expect(fresh.since(late) == fresh)
    }
}
