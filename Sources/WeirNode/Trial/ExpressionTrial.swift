package import WeirExpressions
package import WeirWorld

/// Tries an expression out, for `weir eval`: on one event, or line by line with bindings of its own.
package enum ExpressionTrial {
    /// The value and its type, or why there is none.
    package struct Answer: Sendable {
        package var value: String?
        package var type: String?
        package var problem: String?

        /// `{"value":…,"type":"int"}` or `{"error":"…"}`, one line.
        package var json: String {
            if let value, let type { return "{\"value\":\(value),\"type\":\(Value.string(type).jsonText)}" }
            return "{\"error\":\(Value.string(problem ?? "no value").jsonText)}"
        }
    }

    /// Evaluates over one event; `bytes` is the event as it would come in.
    package static func evaluate(
        _ source: String, event bytes: [UInt8], kind: RecordKind, received: WallTime
    ) -> Answer {
        answer {
            let expression = try Expression(source)
            return try bytes.withUnsafeBytes { bytes in
                try expression.evaluate(
                    RecordView(bytes: bytes, kind: kind, source: "eval", meta: [:], received: received))
            }
        }
    }

    /// Evaluates one line of `{"expr": …, "bindings": {…}}`.
    package static func evaluate(line: String) -> Answer {
        guard case .map(let request)? = Value(json: line), case .string(let source)? = request["expr"] else {
            return Answer(problem: "the line is not JSON of the form {\"expr\": \"1 + 1\", \"bindings\": {}}")
        }
        var bindings: [String: Value] = [:]
        if let given = request["bindings"] {
            guard case .map(let map) = given else { return Answer(problem: "\"bindings\" is not an object") }
            for (key, value) in zip(map.keys, map.values) {
                if case .string(let name) = key { bindings[name] = value }
            }
        }
        let values = bindings
        return answer {
            try Expression(source, environment: .bindings(values.keys)).evaluate(bindings: values)
        }
    }

    private static func answer(_ body: () throws -> Value) -> Answer {
        do {
            let value = try body()
            return Answer(value: value.jsonText, type: value.typeName)
        } catch {
            return Answer(problem: "\(error)")
        }
    }
}
