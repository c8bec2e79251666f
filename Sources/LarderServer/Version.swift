// The two versions: Larder's own, and the memcached it answers as.

public enum Version {
    /// Larder's own; shown by `-V`, the start-up line and `stats larder`.
    public static let larder = "0.1.0"
}
