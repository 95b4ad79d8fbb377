"""Texts for the token benchmark, made on the spot: none is kept in the repository.

English is the docstrings, code the sources of the Python installation at hand. Chinese is composed
at random of common words and names into clauses of natural length, or read from a file; mixed text
joins all of these with emoji and other scripts. The same seed gives the same text.
"""

import random
import re
import sysconfig
from pathlib import Path
from pydoc_data.topics import topics

_WORDS = """
我们 你们 他们 今天 明天 昨天 现在 以后 时候 问题 工作 学习 生活 世界 中国 北京 上海 公司
经济 发展 技术 人工智能 模型 语言 数据 系统 网络 安全 用户 服务 产品 市场 管理 研究 科学
教育 学校 学生 老师 孩子 家庭 朋友 社会 文化 历史 国家 政府 政策 法律 环境 健康 医院 医生
食物 天气 城市 农村 交通 汽车 飞机 手机 电脑 软件 开发 代码 程序 测试 设计 分析 方法 结果
过程 原因 影响 关系 情况 需要 可以 应该 能够 已经 正在 开始 结束 继续 提高 增加 减少 改变
解决 支持 使用 提供 进行 实现 认为 希望 知道 觉得 喜欢 非常 特别 比较 更加 最 很 的 了 是
在 有 和 与 或者 但是 因为 所以 如果 虽然 然而 并且 而且 关于 对于 通过 根据 一个 这个
那个 这些 那些 什么 怎么 为什么 多少 第一 重要 主要 不同 新 大 小 多 少 好 高 低 长 快 慢
深入 广泛 全面 具体 复杂 简单 困难 有效 合理 清楚 量子 计算 神经 训练 推理 参数 优化 算法
性能 成本 效率 质量 标准 价格 投资 银行 金融 股票 风险 机会 挑战 未来 传统 现代 艺术 音乐
电影 小说 诗歌 旅游 体育 足球 比赛 运动 身体 心理 情感 梦想 记忆 时间 空间 宇宙 地球 海洋
山脉 河流 森林 动物 植物 能源 电力 石油 材料 化学 物理 数学 生物 基因 细胞 蛋白 疾病 药物
疫苗 张伟 李娜 王芳 刘洋 陈静 杨帆 赵磊 龙井茶 徜徉 踌躇 氤氲 蒹葭 饕餮 鳞次栉比 在我看来
换句话说 总而言之 不得不说 毫无疑问 事实上 与此同时
"""
WORDS = _WORDS.split()
_OTHERS = """
😀 😂 🎉 👍🏽 🚀 é ü ñ Привет мир Как дела こんにちは 世界 안녕하세요 세계 café naïve
“quoted” — – … don’t ₿ €100 ½ عربي שלום नमस्ते Größe
"""
OTHERS = _OTHERS.split()
PROSE = re.compile(r'"""(.*?)"""', re.S)


def sources(most_bytes: int) -> list[str]:
    """Python sources of the installation, standard library first."""
    paths = sysconfig.get_paths()
    found, size = [], 0
    for root in (paths["stdlib"], paths["purelib"]):
        for path in sorted(Path(root).rglob("*.py")):
            if size > most_bytes:
                break
            try:
                text = path.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError):
                continue
            found.append(text)
            size += len(text)
    return found


def english(files: list[str], most_bytes: int) -> str:
    """Docstrings that read as prose, each paragraph once, shuffled."""
    paragraphs = {
        " ".join(paragraph.split())
        for text in files
        for doc in PROSE.findall(text)
        for paragraph in doc.split("\n\n")
    }
    prose = sorted(
        p
        for p in paragraphs
        if len(p) > 80 and sum(c.isalpha() or c == " " for c in p) > 0.9 * len(p)
    )
    random.Random(1).shuffle(prose)
    return "\n\n".join(prose)[:most_bytes]


def chinese(most_bytes: int) -> str:
    """Random clauses of three to twelve words."""
    draw, found, size = random.Random(2), [], 0
    while size < most_bytes:
        clause = "".join(draw.choices(WORDS, k=draw.randint(3, 12))) + draw.choice(
            "，，，，。。！？："
        )
        if draw.random() < 0.05:
            clause += f"{draw.randint(1, 2030)}年\n"
        found.append(clause)
        size += 3 * len(clause)
    return "".join(found)


def mixed(prose: str, wide: str, most_bytes: int) -> str:
    """English, Chinese, other scripts and emoji in turn."""
    draw, words, found, size = random.Random(3), prose.split(" "), [], 0
    while size < most_bytes:
        at, place = draw.randrange(len(words) - 12), draw.randrange(len(wide) - 30)
        part = draw.choice(
            (
                " ".join(words[at : at + draw.randint(1, 12)]) + " ",
                wide[place : place + draw.randint(2, 30)],
                " ".join(draw.choices(OTHERS, k=3)) + " ",
            )
        )
        found.append(part)
        size += len(part.encode())
    return "".join(found)


def texts(most_bytes: int, chinese_file: Path | None = None) -> dict[str, str]:
    """The classes of text by name, each of about `most_bytes` (less where less is found)."""
    files = sources(most_bytes * 8)
    prose = english(files, most_bytes)
    wide = chinese_file.read_text(encoding="utf-8") if chinese_file else chinese(most_bytes)
    code = list(files)
    random.Random(4).shuffle(code)
    return {
        "English": prose,
        "code": "\n".join(code)[:most_bytes],
        "Chinese": wide,
        "mixed": mixed(prose, wide, most_bytes),
    }


# Every word of a long text, once, in random order.
_ALL_WORDS = sorted(set(re.findall("[a-z]{3,}", " ".join(topics.values()).lower())))
random.Random(8).shuffle(_ALL_WORDS)

# One character or pattern without end: what an adversary, or a model in a loop, sends.
HOSTILE = {
    "letter": "a",
    "equals": "=",
    "space": " ",
    "newline+spaces": "\n" + " " * 4000,
    "random letters": "".join(random.Random(5).choices("abcdefghijklmnopqrstuvwxyz", k=200_000)),
    "words without spaces": "".join(_ALL_WORDS),
    "capitals": "".join(random.Random(9).choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ", k=200_000)),
    "runs of 250": "=" * 250 + "a ",
    "random words of 250": " ".join(
        "".join(random.Random(i).choices("abcdefghijklmnopqrstuvwxyz", k=250)) for i in range(400)
    ),
    "rare characters": "".join(map(chr, random.Random(6).choices(range(0x4E00, 0x9FFF), k=70_000))),
    "modifier+capitals": "ª" + "A" * 4000,
    "marks": "\u0308",
    "emoji": "😀",
    "controls": "".join(map(chr, random.Random(7).choices(range(32), k=100_000))),
    "digits": "1234567890",
}

# What to draw from a vocabulary's own tokens, by the shape of these.
DRAWN = {
    "vocabulary words": re.compile("[a-z]+"),
    "vocabulary words of 3 to 5": re.compile("[a-z]{3,5}"),
    "vocabulary words of 6 to 8": re.compile("[a-z]{6,8}"),
    "vocabulary words, any case": re.compile("[A-Za-z]+"),
    "vocabulary words, all scripts": re.compile(r"[^\W\d_]+"),
    "vocabulary words, wide": re.compile(r"[^\W\d_\x00-\x7F]+"),
    "vocabulary punctuation": re.compile(r"[^\w\s]+"),
    "vocabulary white space": re.compile(""),
    "vocabulary, all": re.compile(r"(?s:.+)"),
}
