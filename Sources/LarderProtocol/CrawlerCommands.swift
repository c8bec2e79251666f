// `lru_crawler`: the search for expired items, on request or switched on and off, and the dumps of all keys.
import LarderStore

enum CrawlerCommands {
    @Sendable
    static func execute(
        _ words: [String], _ worker: inout WorkerContext, _ reply: inout ReplyBuffer
    ) -> AdminOutcome {
        switch (words.count, words.count > 1 ? words[1] : "") {
        case (2, "enable"): enable(worker, &reply)
        case (2, "disable"):
            worker.admin.setCrawler(enabled: false)
            worker.store.setCrawler(enabled: false)
            worker.admin.remember("lru_crawler", "no")
            reply.append("OK\r\n")
        case (3, "crawl"): crawl(words[2], worker, &reply)
        case (3, "sleep"), (3, "tocrawl"): pace(words, &reply)
        case (3, "metadump"): return dump(words[2], .metadump, worker, &reply)
        case (3, "mgdump"): return dump(words[2], .mgdump, worker, &reply)
        default: reply.append("ERROR\r\n")
        }
        return .answered
    }

    private static func enable(_ worker: borrowing WorkerContext, _ reply: inout ReplyBuffer) {
        if worker.admin.crawlerEnabled {
            reply.append("ERROR failed to start lru crawler thread\r\n")
            return
        }
        worker.admin.setCrawler(enabled: true)
        worker.store.setCrawler(enabled: true)
        worker.admin.remember("lru_crawler", "yes")
        reply.append("OK\r\n")
    }

    // MARK: Classes

    enum Scope: Equatable {
        case all
        /// memcached's walk over its hash table: the same items in another order; here the walk is the same.
        case hash
        case classes([UInt8])
        case invalid
    }

    /// What `all`, `hash` or `1,2,5` stands for. An empty list is no fault: there is nothing to crawl.
    static func scope(_ word: String) -> Scope {
        if word == "all" { return .all }
        if word == "hash" { return .hash }
        var classes = [UInt8]()
        for part in word.utf8.split(separator: 0x2C) {
            guard let id = UInt8(String(part) ?? ""), id >= 1, part.first != 0x2B else { return .invalid }
            if !classes.contains(id) { classes.append(id) }
        }
        return .classes(classes)
    }

    private static func crawl(_ word: String, _ worker: borrowing WorkerContext, _ reply: inout ReplyBuffer) {
        guard worker.admin.crawlerEnabled else {
            reply.append("CLIENT_ERROR lru crawler disabled\r\n")
            return
        }
        let classes: [UInt8]?
        switch scope(word) {
        case .all: classes = nil
        case .classes([]):
            reply.append("NOTSTARTED no items to crawl\r\n")
            return
        case .classes(let list):
            guard list.allSatisfy({ Int($0) <= worker.store.slabClassMax }) else {
                reply.append("BADCLASS invalid class id\r\n")
                return
            }
            classes = list
        case .hash:
            reply.append("ERROR an unknown error happened\r\n")
            return
        case .invalid:
            reply.append("BADCLASS invalid class id\r\n")
            return
        }
        if worker.store.crawl(classes: classes) {
            worker.admin.countCrawl()
            reply.append("OK\r\n")
        } else {
            reply.append("BUSY currently processing crawler request\r\n")
        }
    }

    private static func dump(
        _ word: String, _ form: DumpCursor.Form, _ worker: borrowing WorkerContext, _ reply: inout ReplyBuffer
    ) -> AdminOutcome {
        let isMeta = form == .metadump
        guard worker.admin.crawlerEnabled else {
            reply.append("CLIENT_ERROR lru crawler disabled\r\n")
            return .answered
        }
        guard worker.options.allowsDumps else {
            reply.append(isMeta ? "ERROR metadump not allowed\r\n" : "ERROR key dump not allowed\r\n")
            return .answered
        }
        guard reply.isEmpty else {
            reply.append("ERROR cannot pipeline other commands before \(isMeta ? "metadump" : "mgdump")\r\n")
            return .answered
        }
        let classes: [UInt8]?
        switch scope(word) {
        case .all, .hash: classes = nil
        case .classes([]):
            reply.append("NOTSTARTED no items to crawl\r\n")
            return .answered
        case .classes(let list): classes = list
        case .invalid:
            reply.append("BADCLASS invalid class id\r\n")
            return .answered
        }
        guard let cursor = DumpCursor(form, classes: classes, worker.admin) else {
            reply.append("BUSY currently processing crawler request\r\n")
            return .answered
        }
        reply.append("OK\r\n")
        return .dump(cursor)
    }

    // MARK: Pace

    /// memcached's two brakes: microseconds to rest after each item, and items to look at per class. The
    /// numbers are checked; the search here visits pages when a visit pays, so there is nothing to brake.
    private static func pace(_ words: [String], _ reply: inout ReplyBuffer) {
        guard let number = Arguments.unsigned(words, 2) else {
            reply.append("CLIENT_ERROR bad command line format\r\n")
            return
        }
        if words[1] == "tocrawl" {
            reply.append("ERROR lru_crawler tocrawl has no effect here: what is due is searched whole\r\n")
        } else if number > 1_000_000 {
            reply.append("CLIENT_ERROR sleep must be one second or less\r\n")
        } else {
            reply.append("ERROR lru_crawler sleep has no effect here: the search keeps its own pace\r\n")
        }
    }
}
