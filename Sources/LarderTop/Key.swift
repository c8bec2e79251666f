// From the bytes of a terminal to keys. An unknown escape sequence is swallowed whole.

enum Key: Equatable, Sendable {
    case letter(Character)
    case up, down, left, right, pageUp, pageDown, home, end
    case tab, backTab, enter, backspace, escape

    /// The keys in `bytes`, which is one read from the terminal.
    static func keys(in bytes: ArraySlice<UInt8>) -> [Key] {
        var keys: [Key] = []
        var rest = bytes
        while let byte = rest.popFirst() {
            switch byte {
            case 0x1B:
                guard let next = rest.first, next == 0x5B || next == 0x4F else {
                    keys.append(.escape)
                    continue
                }
                rest.removeFirst()
                if let key = sequence(&rest) { keys.append(key) }
            case 0x09: keys.append(.tab)
            case 0x0A, 0x0D: keys.append(.enter)
            case 0x08, 0x7F: keys.append(.backspace)
            case 0x20..<0x7F: keys.append(.letter(Character(UnicodeScalar(byte))))
            default: break
            }
        }
        return keys
    }

    /// What follows `ESC [` or `ESC O`: parameters, then a final byte.
    private static func sequence(_ rest: inout ArraySlice<UInt8>) -> Key? {
        var parameter = ""
        while let byte = rest.popFirst() {
            guard byte >= 0x40 else {
                parameter.unicodeScalars.append(UnicodeScalar(byte))
                continue
            }
            switch UnicodeScalar(byte) {
            case "A": return .up
            case "B": return .down
            case "C": return .right
            case "D": return .left
            case "H": return .home
            case "F": return .end
            case "Z": return .backTab
            case "~":
                switch parameter {
                case "1", "7": return .home
                case "4", "8": return .end
                case "5": return .pageUp
                case "6": return .pageDown
                default: return nil
                }
            default: return nil
            }
        }
        return nil
    }
}
