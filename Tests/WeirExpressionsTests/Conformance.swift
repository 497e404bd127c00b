import Foundation
import Testing
import WeirExpressions

/// The conformance cases of the CEL specification, from a folder beside the checkout.
struct Conformance {
    struct Case: Sendable {
        var name: String
        var expression: String
        var container: String
        var variables: [String: CheckedType]
        var functions: [Function]
        var bindings: [String: Value]
        var isChecked: Bool
        var isCheckOnly: Bool
        var expected: Value?
        var expectedType: String?
        var expectsFailure: Bool
    }

    var cases: [Case] = []
    /// Sections of which some cases need protobuf messages, with the number of those cases.
    var skipped: [String: Int] = [:]

    /// Nil where the folder is not there.
    static func folder() -> String? {
        let root =
            ProcessInfo.processInfo.environment["WEIR_SHARED"]
            ?? URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "shared").path
        let folder = root + "/data/cel-spec/simple"
        return FileManager.default.fileExists(atPath: folder) ? folder : nil
    }

    init(folder: String) throws {
        for name in try FileManager.default.contentsOfDirectory(atPath: folder).sorted() where name.hasSuffix(".json") {
            let data = try Data(contentsOf: URL(filePath: folder + "/" + name))
            guard let file = try JSONSerialization.jsonObject(with: data) as? [String: Any] else { continue }
            for section in file["section"] as? [[String: Any]] ?? [] {
                let title = "\(name.dropLast(5))/\(section["name"] as? String ?? "?")"
                for test in section["test"] as? [[String: Any]] ?? [] { add(test, title) }
            }
        }
    }

    private mutating func add(_ test: [String: Any], _ title: String) {
        guard let read = Self.read(test, title) else {
            skipped[title, default: 0] += 1
            return
        }
        cases.append(read)
    }

    /// Nil for a case that needs protobuf messages or enums.
    private static func read(_ test: [String: Any], _ title: String) -> Case? {
        let expression = test["expr"] as? String ?? ""
        let container = test["container"] as? String ?? ""
        let messages = [
            "TestAllTypes", "GlobalEnum", "NestedEnum", "google.protobuf.Any", "proto.hasExt", "proto.getExt",
        ]
        if messages.contains(where: { expression.contains($0) }) || container.contains("proto") { return nil }
        if expression.range(of: #"google\.protobuf\.\w+\s*\{"#, options: .regularExpression) != nil { return nil }
        var result = Case(
            name: "\(title)/\(test["name"] as? String ?? "?")", expression: expression, container: container,
            variables: [:],
            functions: [], bindings: [:], isChecked: test["disableCheck"] as? Bool != true,
            isCheckOnly: test["checkOnly"] as? Bool == true, expected: nil, expectedType: nil,
            expectsFailure: test["evalError"] != nil)
        for entry in test["typeEnv"] as? [[String: Any]] ?? [] {
            let name = entry["name"] as? String ?? ""
            if let ident = entry["ident"] as? [String: Any] {
                guard let type = type(ident["type"]) else { return nil }
                result.variables[name] = type
            } else if let function = entry["function"] as? [String: Any] {
                var signatures: [String] = []
                for overload in function["overloads"] as? [[String: Any]] ?? [] {
                    let parameters = (overload["params"] as? [Any] ?? []).map { type($0) }
                    guard let returned = type(overload["resultType"]), !parameters.contains(nil) else { return nil }
                    signatures.append(
                        "(\(parameters.compactMap { $0?.description }.joined(separator: ", "))) \(returned)")
                }
                result.functions.append(Function(declaring: name, signatures))
            }
        }
        for (name, binding) in test["bindings"] as? [String: Any] ?? [:] {
            guard let value = value((binding as? [String: Any])?["value"]) else { return nil }
            result.bindings[name] = value
            if result.variables[name] == nil { result.variables[name] = .dyn }
        }
        var wanted = test["value"]
        if let typed = test["typedResult"] as? [String: Any] {
            wanted = typed["result"]
            guard let type = type(typed["deducedType"]) else { return nil }
            result.expectedType = type.description
        }
        if let wanted {
            guard let value = value(wanted) else { return nil }
            result.expected = value
        } else if !result.expectsFailure, !result.isCheckOnly {
            // No expectation means `true`.
            result.expected = .bool(true)
        }
        return result
    }

    private static func value(_ json: Any?) -> Value? {
        guard let (kind, content) = (json as? [String: Any])?.first else { return nil }
        switch kind {
        case "nullValue": return .null
        case "boolValue": return .bool(content as? Bool ?? false)
        case "int64Value": return (content as? String).flatMap { Int64($0) }.map { .int($0) }
        case "uint64Value": return (content as? String).flatMap { UInt64($0) }.map { .uint($0) }
        case "doubleValue":
            if let text = content as? String { return Double(text).map { .double($0) } }
            return (content as? NSNumber).map { .double($0.doubleValue) }
        case "stringValue": return .string(content as? String ?? "")
        case "bytesValue": return Data(base64Encoded: content as? String ?? "").map { .bytes(Array($0)) }
        case "typeValue": return (content as? String).map { .type($0) }
        case "listValue":
            let values = ((content as? [String: Any])?["values"] as? [Any] ?? []).map { value($0) }
            return values.contains(nil) ? nil : .list(values.compactMap { $0 })
        case "mapValue":
            var map = ValueMap()
            for entry in (content as? [String: Any])?["entries"] as? [[String: Any]] ?? [] {
                guard let key = value(entry["key"]), let content = value(entry["value"]) else { return nil }
                map[key] = content
            }
            return .map(map)
        case "objectValue":
            let object = content as? [String: Any]
            switch (object?["@type"] as? String, object?["value"] as? String) {
            case ("type.googleapis.com/google.protobuf.Duration", let text?): return Span(text).map { .duration($0) }
            case ("type.googleapis.com/google.protobuf.Timestamp", let text?):
                return Instant(rfc3339: text).map { .timestamp($0) }
            default: return nil
            }
        default: return nil
        }
    }

    private static func type(_ json: Any?) -> CheckedType? {
        guard let (kind, content) = (json as? [String: Any])?.first else { return nil }
        let object = content as? [String: Any]
        switch kind {
        case "dyn": return .dyn
        case "null": return .null
        case "primitive":
            switch content as? String {
            case "BOOL": return .bool
            case "INT64": return .int
            case "UINT64": return .uint
            case "DOUBLE": return .double
            case "STRING": return .string
            case "BYTES": return .bytes
            default: return nil
            }
        case "wellKnown", "messageType":
            switch content as? String {
            case "TIMESTAMP", "google.protobuf.Timestamp": return .timestamp
            case "DURATION", "google.protobuf.Duration": return .duration
            default: return nil
            }
        case "listType": return type(object?["elemType"]).map { .list($0) }
        case "mapType":
            guard let key = type(object?["keyType"]), let value = type(object?["valueType"]) else { return nil }
            return .map(key, value)
        case "abstractType":
            let parts = (object?["parameterTypes"] as? [Any] ?? []).map { type($0) }
            return parts.contains(nil) ? nil : .opaque(object?["name"] as? String ?? "", parts.compactMap { $0 })
        case "typeParam": return (content as? String).map { .parameter($0) }
        default: return nil
        }
    }

    /// What went wrong with a case; nil when it passed.
    static func problem(with test: Case, checking: ExpressionEnvironment.Checking) -> String? {
        var environment = ExpressionEnvironment(variables: test.variables, checking: checking)
        environment.container = test.container
        environment.functions = test.functions
        do {
            let expression = try Expression(test.expression, environment: environment)
            if let wanted = test.expectedType, checking != .off, expression.resultType != wanted {
                return "type \(expression.resultType) instead of \(wanted)"
            }
            if test.isCheckOnly { return nil }
            let value = try expression.evaluate(bindings: test.bindings)
            guard let expected = test.expected else { return "gave \(value.literal) instead of a failure" }
            // 1 and 1u, 0.0 and -0.0 are equal values, but not what was asked for.
            var isSame = value == expected && value.typeName == expected.typeName
            if case .double = expected { isSame = isSame && value.literal == expected.literal }
            guard isSame else {
                return "gave \(value.literal) instead of \(expected.literal)"
            }
            return nil
        } catch {
            return test.expectsFailure ? nil : "\(error)"
        }
    }
}

@Suite("Conformance with the CEL specification")
struct ConformanceTests {
    @Test("At least 98 % of the cases that need no protobuf messages pass", arguments: [true, false])
    func conformance(isStrict: Bool) throws {
        guard let folder = Conformance.folder() else {
            print("skipped: CEL conformance, there is no shared/data/cel-spec/simple (WEIR_SHARED names the folder)")
            return
        }
        let suite = try Conformance(folder: folder)
        var failures: [String] = []
        for test in suite.cases {
            let checking: ExpressionEnvironment.Checking = test.isChecked ? (isStrict ? .strict : .lenient) : .off
            if let problem = Conformance.problem(with: test, checking: checking) {
                failures.append("\(test.name): \(test.expression): \(problem)")
            }
        }
        let passed = suite.cases.count - failures.count
        let skipped = suite.skipped.sorted { $0.key < $1.key }.map { "\($0.key) (\($0.value))" }
        print(
            "CEL conformance, \(isStrict ? "strict" : "lenient"): \(passed) of \(suite.cases.count) pass; "
                + "\(suite.skipped.values.reduce(0, +)) need protobuf: \(skipped.joined(separator: ", "))")
        for failure in failures { print("CEL conformance fails: \(failure)") }
        #expect(suite.cases.count >= 700)
        #expect(Double(passed) >= 0.98 * Double(suite.cases.count))
    }
}
