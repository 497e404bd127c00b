internal import Foundation
internal import WeirGates
internal import Yams

/// Where settings are looked up, as pycti does: a variable of the environment, or a key in a section of `config.yml`.
/// The environment wins. It gathers what is wrong, so that all of it is told at once.
struct ConfigurationSource: Sendable {
    /// What was found: the text and where it stands.
    struct Found: Sendable {
        var text: String
        var place: String
    }

    private struct Entry: Sendable {
        var text: String
        var line: Int
    }

    private let environment: [String: String]
    private let file: String
    /// Section, then key.
    private var sections: [String: [String: Entry]] = [:]
    private(set) var problems: [ConfigurationError.Problem] = []

    /// - Parameters:
    ///   - file: the name of the file, for what is said about it.
    ///   - yaml: what it holds; `nil` where there is none.
    init(environment: [String: String], file: String, yaml: String?) {
        self.environment = environment
        self.file = file
        guard let yaml else { return }
        do {
            guard let root = try Yams.compose(yaml: yaml) else { return }
            read(root)
        } catch let error as YamlError {
            complain("it is not YAML: \(error)", at: file, help: "correct it")
        } catch {
            complain("it cannot be read: \(error)", at: file, help: "correct it")
        }
    }

    private mutating func read(_ root: Node) {
        guard let mapping = root.mapping else {
            return complain(
                "it is no list of sections", at: file, help: "write `opencti:` and `connector:` with their keys")
        }
        for (name, content) in mapping {
            guard let section = name.string, let keys = content.mapping else { continue }
            for (key, value) in keys {
                guard let key = key.string, let scalar = value.scalar else { continue }
                let isNull =
                    value.tag == .implicit && ["null", "~", ""].contains(scalar.string) && scalar.style == .plain
                if isNull { continue }
                sections[section, default: [:]][key] = Entry(text: scalar.string, line: value.mark?.line ?? 0)
            }
        }
    }

    mutating func complain(_ message: String, at place: String?, help: String) {
        problems.append(ConfigurationError.Problem(message: message, place: place, help: help))
    }

    /// An empty text counts as not there, as in pycti.
    func find(_ variable: String, _ section: String, _ key: String) -> Found? {
        if let text = environment[variable] { return text.isEmpty ? nil : Found(text: text, place: "environment") }
        guard let entry = sections[section]?[key], !entry.text.isEmpty else { return nil }
        return Found(text: entry.text, place: "\(file):\(entry.line)")
    }

    // MARK: Kinds of values

    mutating func required(_ variable: String, _ section: String, _ key: String, example: String) -> String {
        if let found = find(variable, section, key) { return found.text }
        complain(
            "\(variable) is missing", at: nil,
            help: "set it in the environment, or `\(key)` in the section `\(section)` of \(file), such as \(example)")
        return ""
    }

    mutating func flag(_ variable: String, _ section: String, _ key: String, default standard: Bool) -> Bool {
        guard let found = find(variable, section, key) else { return standard }
        if let flag = ConfigurationSource.flag(found.text) { return flag }
        complain(
            "\(variable) is `\(found.text.clipped)`, which is neither", at: found.place, help: "write true or false")
        return standard
    }

    static func flag(_ text: String) -> Bool? {
        switch text.lowercased() {
        case "true", "yes": true
        case "false", "no": false
        default: nil
        }
    }

    mutating func number(_ variable: String, _ section: String, _ key: String, in range: ClosedRange<Int>) -> Int? {
        guard let found = find(variable, section, key) else { return nil }
        if let number = Int(found.text), range.contains(number) { return number }
        complain(
            "\(variable) is `\(found.text.clipped)`", at: found.place,
            help: "write a whole number from \(range.lowerBound) to \(range.upperBound)")
        return nil
    }

    /// A value that says itself what is wrong with it.
    mutating func value<Value>(
        _ variable: String, _ section: String, _ key: String, _ read: (String) throws(UnitTextProblem) -> Value
    ) -> Value? {
        guard let found = find(variable, section, key) else { return nil }
        do throws(UnitTextProblem) {
            return try read(found.text)
        } catch {
            complain("\(variable): \(error.message)", at: found.place, help: error.help)
            return nil
        }
    }
}
