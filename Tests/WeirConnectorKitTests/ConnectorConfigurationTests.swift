import Testing

@testable import WeirConnectorKit

@Suite("A connector's configuration")
struct ConnectorConfigurationTests {
    static let least = [
        "OPENCTI_URL": "http://127.0.0.1:9471/", "OPENCTI_TOKEN": "secret-of-the-tests", "CONNECTOR_ID": "kev--1",
        "CONNECTOR_NAME": "KEV",
    ]

    static func made(_ more: [String: String] = [:], yaml: String? = nil) throws(ConfigurationError)
        -> ConnectorConfiguration
    {
        try ConnectorConfiguration(yaml: yaml, environment: least.merging(more) { _, new in new })
    }

    private static func problems(_ more: [String: String], yaml: String? = nil) -> String {
        do throws(ConfigurationError) {
            _ = try made(more, yaml: yaml)
            return ""
        } catch {
            return error.description
        }
    }

    @Test("needs four settings; all others have defaults")
    func defaults() throws {
        let configuration = try Self.made()
        #expect(configuration.url == "http://127.0.0.1:9471")
        #expect(configuration.queueThreshold == 500 && !configuration.isRunAndTerminate && !configuration.gatesFirstRun)
        #expect(configuration.scope == ["not-applicable"] && configuration.logLevel == .info)
        #expect(configuration.durationPeriod == nil && configuration.queueProtocol == nil)
    }

    @Test("is read from config.yml, and the environment wins")
    func file() throws {
        let yaml = """
            opencti:
              url: http://127.0.0.1:8080
              token: of-the-file
              ssl_verify: false
            connector:
              id: 'abc'
              name: "From the file"
              scope: vulnerability, identity
              duration_period: PT5H
              queue_threshold: 8.5
              run_and_terminate: no
              log_level: error
            kev:
              catalog_url: file:kev.json
            """
        let configuration = try ConnectorConfiguration(
            yaml: yaml,
            environment: [
                "CONNECTOR_NAME": "From the environment", "CONNECTOR_RUN_AND_TERMINATE": "True",
                "CONNECTOR_QUEUE_PROTOCOL": "API",
            ])
        #expect(configuration.url == "http://127.0.0.1:8080" && configuration.token == "of-the-file")
        #expect(configuration.id == "abc" && configuration.name == "From the environment")
        #expect(configuration.scope == ["vulnerability", "identity"] && configuration.durationPeriod == "PT5H")
        #expect(configuration.queueThreshold == 8.5 && configuration.isRunAndTerminate)
        #expect(configuration.logLevel == .error && configuration.queueProtocol == .api)
        #expect(configuration.text("KEV_CATALOG_URL", section: "kev", key: "catalog_url") == "file:kev.json")
    }

    @Test("tells all mistakes at once: what, where, and what to do")
    func allAtOnce() {
        let yaml = """
            opencti:
              url: localhost:8080
              token: ChangeMe
            connector:
              duration_period: 5h
              queue_threshold: 1GB
              log_level: loud
              send_to_directory: true
            """
        do throws(ConfigurationError) {
            _ = try ConnectorConfiguration(yaml: yaml, environment: ["CONNECTOR_QUEUE_PROTOCOL": "kafka"])
            Issue.record("it was taken")
        } catch {
            let said = error.description
            for part in [
                "config.yml:2: OPENCTI_URL", "ChangeMe", "CONNECTOR_ID is missing", "CONNECTOR_NAME is missing",
                "config.yml:5: CONNECTOR_DURATION_PERIOD", "config.yml:6: CONNECTOR_QUEUE_THRESHOLD", "write `1000`",
                "config.yml:7: CONNECTOR_LOG_LEVEL", "config.yml:8: CONNECTOR_SEND_TO_DIRECTORY",
                "environment: CONNECTOR_QUEUE_PROTOCOL", "write amqp or api",
            ] {
                #expect(said.contains(part), "\(part) is not in:\n\(said)")
            }
            #expect(error.problems.count == 9, "\(said)")
        }
    }

    @Test(
        "refuses",
        arguments: [
            ("OPENCTI_URL", "ftp://x"), ("OPENCTI_URL", "http://"), ("CONNECTOR_DURATION_PERIOD", "-PT1H"),
            ("CONNECTOR_DURATION_PERIOD", "PT0.4S"), ("CONNECTOR_QUEUE_THRESHOLD", "0"),
            ("CONNECTOR_QUEUE_THRESHOLD", "-1"), ("CONNECTOR_RUN_AND_TERMINATE", "maybe"), ("MQ_PORT", "70000"),
            ("CONNECTOR_TYPE", "STREAM"), ("CONNECTOR_SEND_TO_QUEUE", "false"), ("OPENCTI_CUSTOM_HEADERS", "x"),
            ("OPENCTI_SSL_VERIFY", "/nowhere.pem"),
        ])
    func refuses(name: String, value: String) {
        #expect(Self.problems([name: value]).contains(name))
    }

    @Test("never turns verification off, and minds that only where there is something to verify")
    func verification() {
        #expect(Self.problems(["OPENCTI_SSL_VERIFY": "false"]) == "")
        let said = Self.problems(["OPENCTI_SSL_VERIFY": "false", "OPENCTI_URL": "https://weir"])
        #expect(said.contains("always verified") && said.contains("path of a file"))
    }

    @Test("says what is no YAML, and repeats no secret")
    func broken() {
        #expect(Self.problems([:], yaml: "a: [").contains("config.yml: it is not YAML"))
        #expect(Self.problems([:], yaml: "- a").contains("no list of sections"))
        #expect(!Self.problems(["CONNECTOR_ID": ""]).contains("secret-of-the-tests"))
    }

    @Test("has the connector's own settings by the same rules")
    func own() throws {
        let configuration = try Self.made(yaml: "kev:\n  limit: many\n")
        do throws(ConfigurationError) {
            _ = try configuration.requiredText("KEV_URL", section: "kev", key: "url", example: "file:kev.json")
        } catch {
            #expect(error.description.contains("`url` in the section `kev` of config.yml, such as file:kev.json"))
        }
        let mistake = configuration.mistake(
            "KEV_LIMIT", section: "kev", key: "limit", "it is no number", help: "write 5")
        #expect(mistake.description == "config.yml:2: KEV_LIMIT: it is no number; write 5")
    }
}
