import WeirCalls
import WeirSettings

/// What the HTTP destinations share in checking their settings.
enum HTTPShared {
    static func check(headers: [String], values: [String], key: String, _ planning: inout DestinationPlanning) {
        planning.note(zip(headers, values).compactMap { HeaderRules.mistake($0, $1, key: key) })
    }

    static let isQueryValue: @Sendable (String) -> String? = { value in
        value.utf8.allSatisfy { HeaderRules.isToken($0) && $0 != 0x26 && $0 != 0x23 && $0 != 0x25 && $0 != 0x2B }
            ? nil : "must not hold spaces, slashes or any of &#%+"
    }

    static func check(secret: Secret?, key: String, _ planning: inout DestinationPlanning) {
        planning.note([HeaderRules.mistake(secret: secret, key: key)].compactMap { $0 })
    }
}
