// The two versions: Larder's own, and the memcached it answers as.

/// Larder's own version.
public enum Version {
    /// Larder's own; shown by `-V`, the start-up line and `stats larder`.
    public static let larder = "0.1.0"
}
