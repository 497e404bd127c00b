/// Which line or variable set which value. Paths are dotted, list items indexed: `destinations.siem.urls[0].weight`.
package struct SettingProvenance: Sendable {
    package private(set) var origins: [String: SettingOrigin] = [:]
    /// Where the keys stand that hold the values.
    private var holders: [String: SettingOrigin] = [:]

    package init() {}

    package mutating func note(_ path: String, _ origin: SettingOrigin, holder: SettingOrigin = .standard) {
        origins[path] = origin
        if holder != .standard { holders[path] = holder }
    }

    /// Where the value at a path was set; `.standard` when nobody did, and the component's default holds.
    package func origin(of path: String) -> SettingOrigin { origins[path] ?? .standard }

    /// Where a message about a path points: at the value, or at the key of the nearest group around it that was
    /// written.
    package func nearest(to path: String) -> SettingOrigin {
        if let origin = origins[path] { return origin }
        var rest = path[...]
        while true {
            if let origin = holders[String(rest)] ?? origins[String(rest)] { return origin }
            guard let cut = rest.lastIndex(where: { $0 == "." || $0 == "[" }) else { return origins[""] ?? .standard }
            rest = rest[..<cut]
        }
    }

    /// Gives a component's complaint its place. `path` is where the component's settings stand.
    package func problem(_ mistake: SettingMistake, in path: String) -> SettingProblem {
        let full = mistake.key.isEmpty ? path : path.isEmpty ? mistake.key : "\(path).\(mistake.key)"
        return SettingProblem(
            mistake.message, severity: mistake.severity, at: nearest(to: full), path: full, help: mistake.help)
    }
}
