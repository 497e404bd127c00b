internal import Glibc

extension ConnectorHelper {
    /// A connector's `main`: runs it and ends the process, with what went wrong on standard error.
    ///
    /// ```swift
    /// @main
    /// struct Feed {
    ///     static func main() async {
    ///         await ConnectorHelper.program { … }
    ///     }
    /// }
    /// ```
    ///
    /// Exit codes: 0 it ended well, or was told to; 1 it failed; 69 the platform is not there; 78 its configuration is
    /// wrong.
    public static func program(_ body: @Sendable () async throws -> Void) async -> Never {
        do {
            try await body()
            exit(0)
        } catch let error as ConfigurationError {
            let lines = error.description.split(separator: "\n").map { "  \($0)\n" }.joined()
            ConnectorLog.writeToStandardError("The connector's configuration is wrong:\n\(lines)")
            exit(78)
        } catch let error as PlatformFailure {
            ConnectorLog.writeToStandardError("\(error)\n")
            exit(error.isPassing ? 69 : 1)
        } catch {
            ConnectorLog.writeToStandardError("The connector failed: \(error)\n")
            exit(1)
        }
    }
}
