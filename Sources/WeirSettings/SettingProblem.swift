/// One thing that is wrong, or odd, in a configuration: what, where, and what to do.
package struct SettingProblem: Error, Sendable, Hashable, CustomStringConvertible {
    package enum Severity: String, Sendable, Hashable, Comparable {
        case error, warning
        package static func < (left: Self, right: Self) -> Bool { left == .error && right == .warning }
    }

    package var severity: Severity
    package var origin: SettingOrigin
    /// `destinations.siem.urls[0].url`; empty for the whole file.
    package var path: String
    /// What is wrong, one sentence without a full stop, names in backticks.
    package var message: String
    /// What to do about it, the same way; empty when the message says it all.
    package var help: String

    package init(
        _ message: String, severity: Severity = .error, at origin: SettingOrigin = .standard, path: String = "",
        help: String = ""
    ) {
        self.severity = severity
        self.origin = origin
        self.path = path
        self.message = message
        self.help = help
    }

    /// One line: `weir.yaml:14:5: error: message (help)`.
    package var description: String {
        let place = origin == .standard ? "" : "\(origin.precise): "
        return "\(place)\(severity.rawValue): \(message)" + (help.isEmpty ? "" : " (\(help))")
    }
}

/// What a component finds wrong with its own settings beyond a single field (two that contradict, a URL that does not
/// parse): it knows the key, the reading adds the place.
package struct SettingMistake: Error, Sendable, Hashable {
    /// The key inside the component's settings, dotted and indexed for nested ones: `tls.certificate`, `urls[1].url`.
    /// Empty: the settings as a whole.
    package var key: String
    package var message: String
    package var help: String
    package var severity: SettingProblem.Severity

    package init(_ key: String, _ message: String, help: String = "", severity: SettingProblem.Severity = .error) {
        self.key = key
        self.message = message
        self.help = help
        self.severity = severity
    }
}
