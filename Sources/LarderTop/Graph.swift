// A series of figures as bars of characters, newest at the right.

enum Graph {
    private static let blocks = Array(" ▁▂▃▄▅▆▇█")
    private static let plain = Array(" .:-=+*#@")

    /// `height` lines, top first, each of `width` columns. `top` is the value of a full bar, nil the largest
    /// of those shown. Unknown values leave a gap; a known one above nothing shows at least a trace.
    static func bars(
        _ values: [Double?], width: Int, height: Int, top: Double? = nil, isUnicode: Bool
    ) -> [String] {
        guard width > 0, height > 0 else { return [] }
        let shown = values.suffix(width)
        let most = top ?? shown.compactMap { $0 }.max() ?? 0
        let signs = isUnicode ? blocks : plain
        let steps = signs.count - 1
        let heights = shown.map { value -> Int in
            guard let value, value > 0, most > 0 else { return 0 }
            let share = min(1, value / most)
            return max(1, Int((share * Double(steps * height)).rounded()))
        }
        return (0..<height).map { row in
            let below = (height - 1 - row) * steps
            let text = String(heights.map { signs[min(max(0, $0 - below), steps)] })
            return text.right(width)
        }
    }

    /// A bar of `width` columns that shows a share of one, as in `[###....]`.
    static func gauge(_ share: Double?, width: Int, isUnicode: Bool) -> String {
        guard let share, share.isFinite, width > 0 else {
            return String(repeating: " ", count: max(0, width))
        }
        let full = Int((min(max(0, share), 1) * Double(width)).rounded())
        return String(repeating: isUnicode ? "█" : "#", count: full)
            + String(repeating: isUnicode ? "░" : ".", count: width - full)
    }
}
