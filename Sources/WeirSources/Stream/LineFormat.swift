internal import WeirSettings

/// What a line is, for every source of lines.
package enum LineFormat: String, SettingChoice {
    case auto, lines, ndjson

    package var help: String {
        switch self {
        case .auto: "JSON where every line of a batch begins with `{`, else text."
        case .lines: "Text, whatever it looks like."
        case .ndjson: "A JSON object a line; other lines go on as text and count as malformed `not_json`."
        }
    }
}
