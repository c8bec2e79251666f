// How fast passwords may be guessed. Each address (IPv6: each network of 64 bits; all clients of unix sockets
// together are one) is answered so many wrong tries a second and no more. A right password is answered at
// once while others guess: what waits is the answer to a wrong one. Only an address that owes the time of
// many wrong tries, which takes dozens of guessing connections at once, is not heard at all until some of it
// has passed; otherwise a guesser could take silence for a no and try the next.

/// All addresses that guessed lately, in a table of fixed size. Time is the caller's, in microseconds.
struct LoginThrottle {
    /// The time a wrong try costs its address.
    static let cost: UInt64 = 50_000
    /// Wrong tries that are answered at once: people mistype.
    static let free: UInt64 = 5
    /// Wrong tries an address may owe the time of and still be heard.
    static let owedMax: UInt64 = 64
    /// What those that have waited for it may owe beyond: newcomers don't take their turn.
    static let owedMoreAfterWaiting: UInt64 = 6

    /// Within any second at most free + owedMax + owedMoreAfterWaiting + 20 (one for each `cost`) tries are
    /// compared: 95.
    private struct Row {
        var address = PeerGroup.none
        /// When the time of its wrong tries is over.
        var paidUntil: UInt64 = 0
    }

    private static let sets = 1024
    private static let ways = 4
    private var rows = [Row](repeating: Row(), count: sets * ways)

    /// nil: the try may be looked at; otherwise the microseconds after which to ask again.
    func wait(_ address: PeerGroup, hasWaited: Bool, now: UInt64) -> UInt64? {
        let owedMax = Self.cost * (Self.owedMax + (hasWaited ? Self.owedMoreAfterWaiting : 0))
        let paidUntil = rows[place(of: address)].paidUntil
        guard paidUntil > now, paidUntil - now >= owedMax else { return nil }
        return min(max(paidUntil - now - owedMax, Self.cost), 1_000_000)
    }

    /// Notes a wrong try; the microseconds after which to answer it.
    mutating func note(_ address: PeerGroup, now: UInt64) -> UInt64 {
        let place = place(of: address)
        let advance = Self.cost * Self.free
        let start = max(rows[place].paidUntil, now > advance ? now - advance : 0)
        rows[place].address = address
        rows[place].paidUntil = start + Self.cost
        return rows[place].paidUntil > now ? rows[place].paidUntil - now : 0
    }

    /// The address's own row, or the one of its set that owes least, which it takes over with what is owed:
    /// an attacker with many addresses gains no more than the table has rows.
    private func place(of address: PeerGroup) -> Int {
        // Swift's hash is keyed with a secret of this process.
        let first = Int(UInt(bitPattern: address.hashValue) % UInt(Self.sets)) * Self.ways
        var best = first
        for place in first..<(first + Self.ways) {
            if rows[place].address == address { return place }
            if rows[place].paidUntil < rows[best].paidUntil { best = place }
        }
        return best
    }
}
