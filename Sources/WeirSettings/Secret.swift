/// A password, a token, a key: written as `{ file: /run/credentials/weir/token }` or `{ env: SIEM_TOKEN }`, or
/// literally (with a warning, because configurations are copied, mailed and committed). Never printed: its description
/// is `***`.
package struct Secret: Sendable, Hashable, CustomStringConvertible, CustomDebugStringConvertible {
    package enum Reference: Sendable, Hashable {
        case file(String)
        case environment(String)
        case literal
        /// Nothing was set.
        case none
    }

    package var reference: Reference
    /// The secret itself; empty when nothing was set or nobody resolved the reference (`weir check --offline`).
    package var text: String

    package init() { (reference, text) = (.none, "") }
    package init(_ text: String) { (reference, self.text) = (.literal, text) }
    package init(_ reference: Reference, text: String) { (self.reference, self.text) = (reference, text) }

    package var isSet: Bool { reference != .none }
    package var description: String { "***" }
    package var debugDescription: String { "***" }
}

extension Secret: CustomReflectable {
    /// `dump` and string interpolation of an enclosing struct go by reflection.
    package var customMirror: Mirror { Mirror(self, children: []) }
}

/// Fetches what a secret refers to. The real one reads files (and refuses those that others may read) and the
/// environment.
package protocol SecretResolver: Sendable {
    func text(ofFile path: String) throws(SecretFailure) -> String
    func text(ofEnvironment name: String) throws(SecretFailure) -> String
}

/// Why a secret could not be fetched; never holds the secret.
package struct SecretFailure: Error, Sendable, Hashable {
    package var message: String
    package var help: String

    package init(_ message: String, help: String) {
        self.message = message
        self.help = help
    }
}

extension Secret: SettingValue {
    private static let help = "write `{ file: PATH }` or `{ env: NAME }`"

    package static func read(_ node: SettingNode, _ reading: inout SettingReading) -> Secret? {
        switch node.content {
        case .scalar(let scalar):
            reading.conceal(node.origin)
            if case .file = node.origin {
                reading.problem(
                    "\(reading.subject) is written literally, so everybody who reads this file has it", at: node.origin,
                    help: help, severity: .warning)
            }
            return Secret(scalar.text)
        case .map(let entries):
            guard entries.count == 1, let entry = entries.first, ["file", "env"].contains(entry.key),
                case .scalar(let scalar) = entry.value.content, !scalar.text.isEmpty
            else {
                reading.problem(
                    "\(reading.subject) must refer to one file or one environment variable", at: node.origin, help: help
                )
                return nil
            }
            return resolve(
                entry.key == "file" ? .file(scalar.text) : .environment(scalar.text), at: entry.value.origin, &reading)
        case .null, .list:
            reading.wrongType(node, wants: "a secret", help: help)
            return nil
        }
    }

    private static func resolve(
        _ reference: Reference, at origin: SettingOrigin, _ reading: inout SettingReading
    ) -> Secret? {
        guard let resolver = reading.secrets else { return Secret(reference, text: "") }
        do throws(SecretFailure) {
            switch reference {
            case .file(let path): return Secret(reference, text: try resolver.text(ofFile: path))
            case .environment(let name): return Secret(reference, text: try resolver.text(ofEnvironment: name))
            case .literal, .none: return Secret()
            }
        } catch {
            reading.problem("\(reading.subject): \(error.message)", at: origin, help: error.help)
            return nil
        }
    }

    package static var shape: SettingShape { .secret }
    package var plain: PlainValue { isSet ? .text("***") : .null }
}
