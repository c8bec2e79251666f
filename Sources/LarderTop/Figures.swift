// Figures as a person reads them, at a fixed small width, and text from outside made harmless. No figure
// from a daemon is too large, too small or too odd for these functions.

enum Figures {
    /// What stands where there is no figure.
    static let none = "-"

    /// A count in five columns at most: 999, 12345, 123k, 1.23M.
    static func count(_ value: Double?) -> String {
        guard let value, value.isFinite else { return none }
        let size = max(0, value)
        if size < 99_999.5 { return whole(size) }
        return scaled(size, step: 1000, units: ["", "k", "M", "G", "T", "P"])
    }

    /// Per second: one decimal as long as it is small.
    static func rate(_ value: Double?) -> String {
        guard let value, value.isFinite else { return none }
        let size = max(0, value)
        if size == 0 { return "0" }
        return size < 9.95 ? decimals(size, 1) : count(size)
    }

    /// Bytes in powers of 1024: 512, 12.3K, 64M, 1.50G.
    static func bytes(_ value: Double?) -> String {
        guard let value, value.isFinite else { return none }
        let size = max(0, value)
        if size < 1023.5 { return whole(size) }
        return scaled(size, step: 1024, units: ["", "K", "M", "G", "T", "P"])
    }

    /// A share of one as percent: 0.934 is 93.4, 1 is 100.
    static func percent(_ share: Double?) -> String {
        guard let share, share.isFinite else { return none }
        let value = min(max(0, share * 100), 9999)
        return value >= 99.95 ? whole(value) : decimals(value, 1)
    }

    /// 43s, 12m05s, 4h12m, 3d04h, 812d.
    static func duration(_ seconds: Double?) -> String {
        guard let seconds, seconds.isFinite else { return none }
        let total = Int(min(max(0, seconds), 1e12))
        let (minutes, hours, days) = (total / 60, total / 3600, total / 86400)
        if minutes == 0 { return "\(total)s" }
        if hours == 0 { return "\(minutes)m\(twoDigits(total % 60))s" }
        if days == 0 { return "\(hours)h\(twoDigits(minutes % 60))m" }
        return days < 100 ? "\(days)d\(twoDigits(hours % 24))h" : "\(days)d"
    }

    static func twoDigits(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }

    /// A delay as it was typed: 1, 0.5.
    static func seconds(_ value: Double) -> String {
        value == value.rounded()
            ? whole(value) : decimals(value, value * 10 == (value * 10).rounded() ? 1 : 2)
    }

    private static func whole(_ value: Double) -> String { "\(Int(min(value.rounded(), 1e15)))" }

    private static func decimals(_ value: Double, _ places: Int) -> String {
        let factor = places == 1 ? 10.0 : 100.0
        let all = Int(min((value * factor).rounded(), 1e15))
        let fraction = all % Int(factor)
        return "\(all / Int(factor))." + (places == 2 ? twoDigits(fraction) : "\(fraction)")
    }

    /// Three digits and a unit.
    private static func scaled(_ value: Double, step: Double, units: [String]) -> String {
        var rest = value
        var unit = 0
        while rest >= step - 0.5, unit + 1 < units.count {
            rest /= step
            unit += 1
        }
        if rest >= 9999.5 { return ">9999" + units[unit] }
        let text = rest < 9.995 ? decimals(rest, 2) : rest < 99.95 ? decimals(rest, 1) : whole(rest)
        return text + units[unit]
    }

    /// Printable ASCII stays; every other byte is spelled `\xNN`, so that nothing a daemon or a client sends
    /// moves the cursor or takes more columns than are counted. At most `limit` bytes are looked at.
    static func printable(_ bytes: some Collection<UInt8>, limit: Int = 256) -> String {
        let hex = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        text.reserveCapacity(min(bytes.count, limit))
        for byte in bytes.prefix(limit) {
            if byte >= 0x20 && byte < 0x7F {
                text.append(byte)
            } else {
                text += [0x5C, 0x78, hex[Int(byte >> 4)], hex[Int(byte & 15)]]
            }
        }
        if bytes.count > limit { text += Array("...".utf8) }
        return String(decoding: text, as: UTF8.self)
    }
}

extension String {
    /// Exactly `width` columns, the text at the left; what doesn't fit is cut.
    func left(_ width: Int) -> String {
        let length = count
        if length > width { return String(prefix(max(0, width))) }
        return self + String(repeating: " ", count: width - length)
    }

    /// The same with the text at the right.
    func right(_ width: Int) -> String {
        let length = count
        if length > width { return String(prefix(max(0, width))) }
        return String(repeating: " ", count: width - length) + self
    }

    /// At most `width` columns; a text that is cut ends in `~`.
    func fitted(_ width: Int) -> String {
        count <= width ? self : String(prefix(max(0, width - 1))) + (width > 0 ? "~" : "")
    }
}
