/// Where a key or a value was written: a place in a file, an environment variable, or nowhere (a default).
package enum SettingOrigin: Sendable, Hashable, CustomStringConvertible {
    case file(SettingPlace)
    /// The variable's name; its value is never kept here, it may be a secret.
    case environment(String)
    case standard

    /// `weir.yaml:14`, `WEIR__DESTINATIONS__SIEM__LIMIT` or `default`: what `weir why` names as "set by".
    package var description: String {
        switch self {
        case .file(let place): "\(place.file):\(place.line)"
        case .environment(let name): name
        case .standard: "default"
        }
    }

    /// With the column: `weir.yaml:14:5`.
    package var precise: String {
        switch self {
        case .file(let place): "\(place.file):\(place.line):\(place.column)"
        case .environment(let name): name
        case .standard: "default"
        }
    }

    package var place: SettingPlace? {
        if case .file(let place) = self { place } else { nil }
    }
}

/// A place in a file, with the line's text, so that a message can show it without reading the file again.
package struct SettingPlace: Sendable, Hashable {
    package var file: String
    /// From 1.
    package var line: Int
    /// From 1, in code points.
    package var column: Int
    /// How many code points to underline; at least 1.
    package var length: Int
    /// The whole source line without its end.
    package var text: String

    package init(file: String, line: Int, column: Int, length: Int = 1, text: String = "") {
        self.file = file
        self.line = line
        self.column = column
        self.length = max(1, length)
        self.text = text
    }
}
